import { defineEntity, p } from '@mikro-orm/core';

/** A text that was replaced or taken away: kept, encrypted, for the record. Nobody is shown it over the socket. */
export const MessageRevisionEntity = defineEntity({
  name: 'MessageRevision',
  tableName: 'message_revision',
  properties: {
    messageId: p.uuid().primary(),
    /** The revision it was; the encryption vouches for it. */
    revision: p.integer().primary(),
    sealed: p.blob(),
    keyId: p.text(),
    replacedAt: p.datetime(3),
  },
});
