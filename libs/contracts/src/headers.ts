/** The names of the headers that travel on NATS messages. */
export const HEADERS = {
  /** On a delivery: the id of the socket, or the room, to leave out. On a request: the id of the socket it came from. */
  except: 'Rapport-Except',
  socket: 'Rapport-Socket',
  /** On a delivery: what is counted, from which version to which, `<conversation id> 6 7`. Gateways keep that order. */
  order: 'Rapport-Order',
  /** On the reply to a batch: how long each reply in it is, in UTF-16 code units, so that nobody must parse to part them. */
  lengths: 'Rapport-Lengths',
  errorCode: 'Nats-Service-Error',
  errorNumber: 'Nats-Service-Error-Code',
  traceParent: 'traceparent',
} as const;
