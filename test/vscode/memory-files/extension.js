// A file system with one folder and one file that are on no disk: what a workspace on GitHub, say, looks like to others.
const vscode = require('vscode');

const README = Buffer.from('# Nowhere\n');
const isFile = (uri) => uri.path.endsWith('/README.md');
const isFolder = (uri) => uri.path === '/' || uri.path === '/project';

exports.activate = (context) => {
  const readOnly = () => {
    throw vscode.FileSystemError.NoPermissions();
  };
  context.subscriptions.push(
    vscode.workspace.registerFileSystemProvider('memory', {
      onDidChangeFile: () => new vscode.Disposable(() => undefined),
      watch: () => new vscode.Disposable(() => undefined),
      stat: (uri) => {
        if (isFile(uri)) return { type: vscode.FileType.File, ctime: 0, mtime: 0, size: README.length };
        if (isFolder(uri)) return { type: vscode.FileType.Directory, ctime: 0, mtime: 0, size: 0 };
        throw vscode.FileSystemError.FileNotFound(uri);
      },
      readDirectory: () => [['README.md', vscode.FileType.File]],
      readFile: (uri) => {
        if (isFile(uri)) return README;
        throw vscode.FileSystemError.FileNotFound(uri);
      },
      createDirectory: readOnly,
      writeFile: readOnly,
      delete: readOnly,
      rename: readOnly,
    }),
  );
};
