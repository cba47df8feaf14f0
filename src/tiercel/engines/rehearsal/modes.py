"""The closed set of ways an engine can behave, each with the reason it is here."""

from __future__ import annotations

import enum
from typing import Final, Literal

Layer = Literal["good", "time", "cut", "status", "body", "framing"]
"""What is wrong: nothing, when it comes, how it ends, the status, the content, or HTTP itself."""


class Mode(enum.StrEnum):
    """One behaviour; its value is what a model name, a path or the command line says."""

    PLAIN = "plain"
    UNTIL_CLOSE = "until_close"
    OLD_HTTP = "old_http"
    INFORMATIONAL = "informational"
    TRAILERS = "trailers"
    ODD_SSE = "odd_sse"
    LUMP = "lump"
    FORGED_HEADERS = "forged_headers"
    GZIP = "gzip"

    SILENT = "silent"
    STALL = "stall"
    DRIP = "drip"
    SLOW_HEADERS = "slow_headers"
    ENDLESS = "endless"
    ENDLESS_EMPTY = "endless_empty"

    REFUSE = "refuse"
    HANGUP = "hangup"
    CUT_HEADERS = "cut_headers"
    CUT_ROLE = "cut_role"
    CUT = "cut"
    RESET = "reset"
    CLEAN_CUT = "clean_cut"

    RATE_LIMITED = "rate_limited"
    BROKEN = "broken"
    BUSY = "busy"
    OVERLOADED = "overloaded"
    UNAUTHORIZED = "unauthorized"
    NO_MODEL = "no_model"
    EARLY = "early"
    REDIRECT = "redirect"

    HTML = "html"
    ERROR_IN_200 = "error_in_200"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    NO_CHOICES = "no_choices"
    EMPTY_CHOICES = "empty_choices"
    NO_ROLE = "no_role"
    BLANK = "blank"
    BAD_JSON = "bad_json"
    EMPTY_FINISH = "empty_finish"
    NO_FINISH = "no_finish"
    NO_DONE = "no_done"
    HUGE_LINE = "huge_line"
    WRONG_SHAPE = "wrong_shape"
    FENCED = "fenced"
    NO_TOOL = "no_tool"
    WRONG_TOOL = "wrong_tool"
    CUT_ARGUMENTS = "cut_arguments"

    LONG_LENGTH = "long_length"
    SHORT_LENGTH = "short_length"
    TWO_LENGTHS = "two_lengths"
    NEGATIVE_LENGTH = "negative_length"
    LENGTH_AND_CHUNKED = "length_and_chunked"
    NEGATIVE_CHUNK = "negative_chunk"
    BAD_CHUNK = "bad_chunk"
    GARBAGE_STATUS = "garbage_status"
    POISON = "poison"
    BARE_CR = "bare_cr"
    NUL_HEADER = "nul_header"
    FOLDED_HEADER = "folded_header"
    HUGE_HEAD = "huge_head"
    TLS = "tls"

    @property
    def layer(self) -> Layer:
        """Say what is wrong with a reply of this mode."""
        return TROUBLE[self][0]

    @property
    def reason(self) -> str:
        """Say in one line why the mode is here."""
        return TROUBLE[self][1]


TROUBLE: Final[dict[Mode, tuple[Layer, str]]] = {
    Mode.PLAIN: ("good", "a good reply, whole or streamed as the request asks"),
    Mode.UNTIL_CLOSE: ("good", "no length and no chunks: the body ends where the connection does"),
    Mode.OLD_HTTP: ("good", "an HTTP/1.0 server: answers, then closes"),
    Mode.INFORMATIONAL: ("good", "100 and 103 come before the real status line"),
    Mode.TRAILERS: ("good", "chunked, with header fields after the last chunk that try to pass for ours"),
    Mode.ODD_SSE: ("good", "comments, CRLF, missing spaces, id and retry fields: all legal in an event stream"),
    Mode.LUMP: ("good", "the whole stream arrives in one packet"),
    Mode.FORGED_HEADERS: ("good", "headers that claim to be the gateway's, set cookies or play connection games"),
    Mode.GZIP: ("good", "a compressed body that nobody asked for"),
    Mode.SILENT: ("time", "accepts the request and never says a byte"),
    Mode.STALL: ("time", "stops for ever after k chunks, connection open"),
    Mode.DRIP: ("time", "a few bytes at a time: never silent, never fast, cut at any byte"),
    Mode.SLOW_HEADERS: ("time", "the head arrives byte by byte, so no read timer ever fires"),
    Mode.ENDLESS: ("time", "words without end"),
    Mode.ENDLESS_EMPTY: ("time", "events without end and without a word: looks alive, says nothing"),
    Mode.REFUSE: ("cut", "nobody listens; a listener can only reset (a truly refused port: refused.py)"),
    Mode.HANGUP: ("cut", "closes without a byte, as a server does on a stale kept-alive connection"),
    Mode.CUT_HEADERS: ("cut", "closes after the head: a 200 that holds nothing"),
    Mode.CUT_ROLE: ("cut", "closes after the preamble: 200, a role, not one word"),
    Mode.CUT: ("cut", "closes after k chunks in the middle of chunked coding"),
    Mode.RESET: ("cut", "resets the connection after k chunks, as a killed process does"),
    Mode.CLEAN_CUT: ("cut", "ends the HTTP body correctly after k chunks although the answer is not finished"),
    Mode.RATE_LIMITED: ("status", "429 with Retry-After"),
    Mode.BROKEN: ("status", "500"),
    Mode.BUSY: ("status", "503 with Retry-After"),
    Mode.OVERLOADED: ("status", "529, Anthropic's word for busy"),
    Mode.UNAUTHORIZED: ("status", "401: the key is wrong"),
    Mode.NO_MODEL: ("status", "404: the model is not there"),
    Mode.EARLY: ("status", "413 and close before the body was read (name it in the path: the body is not yet known)"),
    Mode.REDIRECT: ("status", "302 to another host, where keys must not follow"),
    Mode.HTML: ("body", "a proxy's HTML page with status 200"),
    Mode.ERROR_IN_200: ("body", "an error object with status 200, where clients raise nothing"),
    Mode.ERROR_BEFORE: ("body", "an error event before the first word, when failing over is still free"),
    Mode.ERROR_AFTER: ("body", "an error event after k chunks, when words have already left"),
    Mode.NO_CHOICES: ("body", "a reply without choices (or content): the openai client raises nothing"),
    Mode.EMPTY_CHOICES: ("body", "a reply with an empty list of choices (or content)"),
    Mode.NO_ROLE: ("body", "a message without its role, which breaks LangChain"),
    Mode.BLANK: ("body", "a correct reply that says nothing"),
    Mode.BAD_JSON: ("body", "one line, or the body, is not JSON"),
    Mode.EMPTY_FINISH: ("body", 'finish_reason is "" where it must be null or a reason'),
    Mode.NO_FINISH: ("body", "no finish_reason at all; the stream ends well otherwise"),
    Mode.NO_DONE: ("body", "the stream's last event ([DONE], message_stop) never comes"),
    Mode.HUGE_LINE: ("body", "megabytes without a line end"),
    Mode.WRONG_SHAPE: ("body", "JSON that does not fit the schema the request demanded"),
    Mode.FENCED: ("body", "the demanded JSON inside prose and a code fence"),
    Mode.NO_TOOL: ("body", "words where the request forced a tool call"),
    Mode.WRONG_TOOL: ("body", "a call of a tool that nobody offered"),
    Mode.CUT_ARGUMENTS: ("body", "tool arguments that stop in the middle of their JSON"),
    Mode.LONG_LENGTH: ("framing", "content-length is too long: the rest never comes"),
    Mode.SHORT_LENGTH: ("framing", "content-length is too short: surplus bytes poison the next reply"),
    Mode.TWO_LENGTHS: ("framing", "two content-lengths that disagree"),
    Mode.NEGATIVE_LENGTH: ("framing", "content-length: -1"),
    Mode.LENGTH_AND_CHUNKED: ("framing", "content-length and transfer-encoding together: response smuggling"),
    Mode.NEGATIVE_CHUNK: ("framing", "a chunk of size -2"),
    Mode.BAD_CHUNK: ("framing", "a chunk longer than it says it is"),
    Mode.GARBAGE_STATUS: ("framing", "the status line is noise"),
    Mode.POISON: ("framing", "a second, complete response follows the first"),
    Mode.BARE_CR: ("framing", "a carriage return inside a header value, to split it"),
    Mode.NUL_HEADER: ("framing", "a zero byte inside a header value"),
    Mode.FOLDED_HEADER: ("framing", "a header value continued on the next line, obsolete and read differently"),
    Mode.HUGE_HEAD: ("framing", "megabytes of header fields"),
    Mode.TLS: ("framing", "a TLS alert on a plain port"),
}
