"""What an answer holds and says: its JSON, why it is none, how long to wait, what it tells of a failure."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from systock.errors import SourceError
from systock.extract.api_call import NOTHING, value_at
from systock.extract.json_rows import DECODER, compact
from systock.extract.redact import LONGEST

#: What to do where only time helps.
LATER = "Run again later; if it stays, ask those who run the API."


class Again(Exception):
    """This attempt failed, the next one may not. wait: seconds that the API asks for."""

    def __init__(self, error: SourceError, wait: float | None = None) -> None:
        super().__init__(error.what)
        self.error, self.wait = error, wait
        error.transient = True


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The wait that the API asks for, in seconds; None if it names none."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        wait: float = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        return max(0.0, wait)
    except (TypeError, ValueError):
        return None


def seconds(text: str) -> float | None:
    """A span in seconds, or until an instant in seconds since 1970."""
    if not re.fullmatch(r"\d{1,12}(\.\d+)?", text.strip()):
        return None
    found = float(text)
    return found if found < 1e9 else max(0.0, found - time.time())


def decoded(headers: dict[str, str], data: bytes) -> Any:
    """The JSON of a body."""
    kind = headers.get("content-type", "").lower()
    if not data:
        raise Again(SourceError("the answer has no body", todo=LATER))
    if data[:64].lstrip().startswith(b"<"):
        title = re.search(rb"(?is)<title[^>]*>(.*?)</title>", data)
        named = f" ({' '.join(title[1].decode('utf-8', 'replace').split())[:80]!r})" if title else ""
        raise Again(
            SourceError(
                f"the answer is a web page{named}, not JSON",
                todo="Check base_url and auth: it may be a page to log in at, or one that says that the API is down.",
            )
        )
    charset = re.search(r"charset=\"?([\w.:-]+)", kind)
    try:
        text = data.decode("utf-8-sig" if charset is None or charset[1] in ("utf-8", "utf8") else charset[1])
    except (UnicodeDecodeError, LookupError) as error:
        raise Again(SourceError(f"the answer is not text: {error}", todo=LATER)) from None
    try:
        return DECODER.decode(text)
    except RecursionError:
        raise SourceError("the JSON is nested too deeply", todo="Ask those who run the API.") from None
    except json.JSONDecodeError as error:
        cut = "is cut off" if error.pos >= len(text.rstrip()) - 1 or "Unterminated" in error.msg else "is no JSON"
        raise Again(
            SourceError(f"the answer {cut}: {error.msg}, after {error.pos:,} of {len(text):,} characters", todo=LATER)
        ) from None


def excerpt(headers: dict[str, str], data: bytes) -> str:
    """What the API says of a failure."""
    try:
        return said(decoded(headers, data))
    except (Again, SourceError):
        return ""


def said(body: Any) -> str:
    """What the body of a failure says, behind a colon; its secrets are still in it, so the message is cut later."""
    for path in ("error_description", "error.message", "message", "detail", "errors.0.message", "error", "errors"):
        found = value_at(body, path)
        if found is not NOTHING and found:
            break
    else:
        found = body
    text = "" if found is None else " ".join((found if isinstance(found, str) else compact(found)).split())
    return f": {text[:LONGEST]}" if text else ""


def wait_for_calls(headers: Mapping[str, str], bucket_header: str) -> float:
    """Seconds to wait before the next call, by what the headers say of a bucket that fills, or of calls that are left."""
    bucket = re.match(r"(\d+)/(\d+)", headers.get(bucket_header.lower(), ""))
    # Such buckets empty within 20 seconds: after two a tenth of it has leaked.
    wait = 2.0 if bucket and 10 * int(bucket[1]) >= 9 * int(bucket[2]) else 0.0
    for prefix in ("ratelimit", "x-ratelimit", "x-rate-limit"):
        if headers.get(f"{prefix}-remaining", "").strip() == "0":
            wait = max(wait, seconds(headers.get(f"{prefix}-reset", "")) or 0.0)
    return wait
