import { z } from 'zod';
import { healthData } from './health-data.ts';

/** A page as the service that owns it has a gateway show it. */
export const PublicPage = z
  .object({
    status: z.union([z.literal(200), z.literal(304), z.literal(404)]),
    contentType: z.string().optional(),
    etag: z.string().optional().meta({ description: 'The same as long as the page is.' }),
    gzipped: healthData(z.base64()).optional().meta({ description: 'The body, packed: NATS carries at most 1 MB.' }),
  })
  .meta({ id: 'PublicPage' });
export type PublicPage = z.infer<typeof PublicPage>;
