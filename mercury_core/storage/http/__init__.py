"""What stores that are spoken to over HTTP have in common; public, for whoever writes a plugin for one.

- `channels`: connections that are kept, and requests over them, with TLS and through proxies.
- `messages`: answers as they arrive.
- `answers`: what came back, or did not.
- `in_flight`: requests that are on their way beside each other.
- `tries`: trying again, with waits and a deadline.
- `reading`: content that goes on where a connection was cut, and whole objects as files.
- `places`, `faults`, `refusals`: URIs with a bucket, parameters, and the wording of errors.

A plugin says what differs: addresses, credentials, the requests and how its service words errors.
"""
