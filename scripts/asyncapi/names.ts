// Names of the document's parts. A name is used in references, where `:` and `/` would need escapes.

/** `message:send` → `message.send`. */
export function toPart(event: string): string {
  return event.replace(':', '.');
}

/** `message:mark-read` → `MessageMarkRead`. */
export function toTypeName(event: string): string {
  return event
    .split(/[:.-]/)
    .map(word => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

function messageReference(name: string): { $ref: string } {
  return { $ref: `#/components/messages/${name}` };
}

/** A reference to a message as one of a channel's, which is what an operation wants. */
export function channelMessage(channel: string, name: string): { $ref: string } {
  return { $ref: `#/channels/${channel}/messages/${name}` };
}

export function channelReference(channel: string): { $ref: string } {
  return { $ref: `#/channels/${channel}` };
}

/** A reference for each message, under the message's own name. */
export function messageReferences(names: readonly string[]): Record<string, { $ref: string }> {
  return Object.fromEntries(names.map(name => [name, messageReference(name)]));
}
