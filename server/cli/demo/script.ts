/**
 * What the demo's `shell` agent runs: the work of a coding agent, written down, so that it is the same every time and
 * needs no model. The last part is what a hijacked agent would try.
 */
export function demoScript(allowedUrl: string): string {
  return `say() { printf '\\n▸ %s\\n' "$*"; }

tests() { node --test --test-reporter=spec 2>&1 | grep -E '^(✔|✖) ' | sort -u; return "\${PIPESTATUS[0]}"; }

say 'Run the tests of the project.'
tests

say 'One fails: the numbers are sorted as text. Mend that, and commit.'
sed -i 's/\\.sort();/.sort((a, b) => a - b);/' src/summary.js
git commit --quiet --all --message 'Sort readings as numbers'
git show --stat --format='%s' HEAD

say 'Run the tests again.'
tests || exit 1

say 'Fetch the release notes from the one host that is allowed.'
curl --silent --show-error --fail --max-time 20 --output RELEASE_NOTES.md '${allowedUrl}' || exit 1
head -n 2 RELEASE_NOTES.md

say 'Now what a hijacked agent would try: a private address, the cloud metadata, a host that is not listed, a raw address.'
for url in http://10.0.0.1/ http://169.254.169.254/latest/meta-data/ https://exfiltrate.example.com/ https://93.184.216.34/; do
  case $(curl --silent --max-time 20 --output /dev/null --write-out '%{http_code} %{http_connect}' "$url") in
    *403*) echo "$url was refused" ;;
    *) echo "$url ANSWERED"; exit 1 ;;
  esac
done
exit 0
`;
}
