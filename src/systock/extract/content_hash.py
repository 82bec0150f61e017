"""The hash that says whether two deliveries hold the same, whatever they are called and however they are compressed."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def content_hash(digest: str, **settings: tuple[Any, Any]) -> str:
    """SHA-256 over a file's decompressed bytes, and over how they are read as far as that is not the usual way.

    settings: name to (value found or set, usual value). They belong to it because a file that was landed under wrong
    settings holds something else under the right ones; for an ordinary CSV the hash is that of `zcat file | sha256sum`.
    """
    unusual = {name: value for name, (value, usual) in sorted(settings.items()) if value != usual}
    if not unusual:
        return digest
    text = json.dumps(unusual, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{digest} {text}".encode()).hexdigest()
