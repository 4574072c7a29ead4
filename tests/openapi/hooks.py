"""What Schemathesis has to be told of this server: signed documents are sent as bytes."""

import schemathesis


@schemathesis.serializer("application/cose")
def cose(_context, value):
    return value if isinstance(value, bytes) else str(value).encode()
