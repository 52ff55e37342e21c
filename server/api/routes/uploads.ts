import { CaissonError } from '../../../shared/protocol/errors.ts';
import { upload } from '../../../shared/protocol/rest.ts';
import type { Uploads } from '../../uploads/uploads.ts';
import { route, type AnyRoute } from '../route.ts';

const BUNDLE_TYPES = ['application/x-git-bundle', 'application/octet-stream'];

export function uploadRoutes({ uploads }: { uploads: Uploads }): AnyRoute[] {
  return [
    route({
      method: 'post',
      path: '/uploads',
      summary: 'Upload a git bundle as the source of a run',
      scope: 'runs:write',
      consumes: 'application/x-git-bundle',
      response: upload,
      status: 201,
      handle: async ({ identity, request, signal }) => {
        if (!request.is(BUNDLE_TYPES))
          throw new CaissonError(
            'unsupported_media_type',
            `An upload is a git bundle: send it with \`Content-Type: ${BUNDLE_TYPES[0]}\`.`,
          );
        const declared = request.headers['content-length'];
        return uploads.receive(
          identity.organizationId,
          request,
          declared === undefined ? undefined : Number(declared),
          signal,
        );
      },
    }),
  ];
}
