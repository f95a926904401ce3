"""The WAMP wire: messages, serializers and frames. Pure: bytes in, values out, and back."""
