"""Commands behind what a shell would take for the end of a value.

Commands themselves are honest, and so are pipes between them. An attack puts one command behind a single word, at the
very beginning, or glued to a name; or it goes for what no instruction to a friend would.
"""

from __future__ import annotations

import re
from typing import Final

from whispercore.screening.forms import Forms
from whispercore.screening.patterns import either, words
from whispercore.screening.rule import COMMAND, Subject, TextRule

_FOLDER: Final = r"(?:/(?:usr/)?(?:local/)?s?bin/)?"
_ALONE: Final = _FOLDER + words("ls pwd whoami uname reboot ifconfig ipconfig netstat printenv")
"""Commands without arguments that are no word, no column and no key."""
_SHORT: Final = either(
    _ALONE, _FOLDER + words("id dir ps env set who w date ver echo hostname shutdown nc sh bash test")
)
"""Commands without arguments, many of which are words."""
_TELLING: Final = _FOLDER + either(
    words(r"whoami uname ifconfig ipconfig netstat nslookup systeminfo tasklist printenv reboot xterm busybox mkfifo"),
    words(r"sendmail crontab iptables powershell bitsadmin regsvr32 rundll32 schtasks"),
    words(r"nc ncat netcat wget curl lynx ftp tftp scp chmod chown useradd adduser passwd mail dig sudo mshta certutil")
    + r"\s",
    words(r"tac nl more less head tail od xxd base64 strings rev find touch cp mv rm rmdir del wmic") + r"\s/",
    words(r"ls ps id who rm su mysql ln kill shutdown") + r"\s-\w",
    words(r"(?:ba|da|z|k|c|tc)?sh python[\d.]* perl ruby php sed") + r"\s-[icren]",
    r"cat(?:\s(?:/|\.\./|~|\$)|<)",
    r"ls\s(?:/|\.\.)",
    r"ps\saux",
    r"(?:type|dir)\s(?:%|/|[a-zA-Z]:)",
    r"sort\s/etc",
    r"ping\s(?:-\w\s?\d*\s?)*[\w.-]{3,}",
    r"sleep\s?\d",
    r"timeout\s(?:/t\s)?\d",
    r"telnet\s[\w.]+\s\d",
    r"host\s[\w.]+\.\w",
    r"net\s(?:user|localgroup|view|share|start)",
    r"cmd(?:\.exe)?\s/c",
    r"reg\s(?:query|add|save)",
    r"echo\s.{1,60}>",
    r"grep\s.{1,40}\s/",
    r"env\s?[;|]",
    r"set\s?/a",
    r"tar\s-?\w+\s/",
    r"dd\sif",
    r"awk\s'",
    r"shutdown\s(?:/|now)",
    r"(?:system|passthru|shell_exec|phpinfo|popen)\s?\(",
)
"""Commands with arguments that tell what they are for."""
_SEPARATOR: Final = either(";", r"\|\|?", "&&?", r"\n", r"\$\(", r"<\(", r">\(")
_ENDS: Final = r"(?=$|[;|&`)#<>]|\s(?:[-/~;|&#]|$)|\$\()"
_ENDS_WORD: Final = r"(?=$|[\s;|&)`#<>(]|\$\()"
_USUAL: Final = frozenset(
    """apt brew bundle cargo case cat cd clear cmake composer conda cp date docker dotnet echo else env eval exec exit
    export fi for git go gradle helm if kubectl local ls make mkdir mvn mv ninja node npm npx pip pip3 pnpm podman pwd
    pytest python python3 rake return rm ruff set source sudo sync systemctl tar then touch true uv vim while
    yarn""".split()  # noqa: SIM905 (it is read as words)
)
"""What shell sessions begin with: what comes behind it is a session too."""

_LEADING: Final = re.compile(rf"^[\s'\"]?(?:[;&|]{{1,2}}|\$\(|\n)\s?(?:{_TELLING}|{_SHORT}{_ENDS_WORD})")
_SINGLE: Final = re.compile(rf"^([^\s;|&`$]{{0,120}})\s?({_SEPARATOR})\s?({_TELLING}|{_SHORT}{_ENDS})")
_VALUE: Final = re.compile(r"[\d.'\"=@/)]|^(?:foo|bar|test|x|a)?$")
_ALONE_ONLY: Final = re.compile(_ALONE)
_SHORT_ONLY: Final = re.compile(_SHORT)
_GLUED: Final = re.compile(
    either(
        rf"(?<=[\w.\"')-])(?:;|\|\|?|&&?|`|\$\()(?:{_TELLING}|{_ALONE}(?=$|[;&`)]|\s[-/]))",
        rf"(?<=[\w.)-])\$\(\s?{_TELLING}",
        rf"(?<=[\w.)])`(?:{_TELLING}|{_SHORT}{_ENDS_WORD})[^`]{{0,100}}`",
        rf"^\s?`\s?(?:{_TELLING}|{_SHORT}{_ENDS_WORD})[^`]{{0,100}}`?$",
    )
)
_IN_NAME: Final = re.compile(
    rf"(?:{_SEPARATOR}|`)\s?(?:{_TELLING}|(?:{_ALONE}|id)(?=$|[;|&`)#.<>]|\s[-/]|\s?$))",
)
_SYSTEM_FILE: Final = re.compile(
    rf"{_SEPARATOR}\s?(?:{_FOLDER}\w{{2,10}}\s|\{{\w{{2,10}},|\w{{2,10}}<)[^\n;|&]{{0,80}}?"
    + either(
        r"/etc/(?:passwd|shadow|hosts|group|issue|\*)",
        "/proc/",
        r"c:[/\\](?:boot|windows|winnt)",
        r"(?:boot|win)\.ini",
        "id_rsa",
        r"\.ssh/",
        r"\.htpasswd",
        r"/\?\?\?/",
    ),
    re.IGNORECASE,
)
_NEVER_HONEST: Final = re.compile(
    either(
        r"/dev/(?:tcp|udp)/\S",
        r"\b(?:nc|ncat|netcat)\s[^\n;|]{0,60}\s-[a-z]{0,3}e[a-z]{0,2}\s",
        r"\b(?:ba|z|k)?sh\s-i\s?[>0-9&]",
        r"mkfifo\s/tmp/\w+;",
        # shellshock
        r"\(\)\s?\{\s?:;?\s?\}\s?;",
        r"\(\)\s?\{\s?\}\s?;\s?(?:/bin|echo|cat|ping|wget|curl|id)\b",
        r"\(\)\s?\{\s?_;\s?\}\s?>",
        # PowerShell
        r"powershell(?:\.exe)?\s[^\n]{0,80}-e(?:nc|ncodedcommand)?\s[a-z0-9+/=]{16}",
        r"\biex\s?\(\s?(?:new-object|iwr|invoke)",
        # look-ups in what is logged
        r"\$\{(?:jndi|\$\{)",
        r"\$\{[^}\n]{0,30}:-?j\}",
        # pages that a server runs
        r"<!--\s?#(?:exec|include)\s",
        r"<\?(?:php|=)?\s?@?"
        + either(
            words("system exec shell_exec passthru popen proc_open assert eval phpinfo unlink readfile include require")
            + r"\s?\(",
            r"echo\s?(?:system|exec|shell_exec|passthru|`)",
            r"[^?]{0,60}\$_(?:get|post|request|cookie|server)\s?\[",
            r"\s?`",
        ),
        r"<%\s?=?\s?(?:system|exec|eval|runtime|response\.write|`)",
        r"\{\$\{(?:phpinfo|system)",
        r"system\s?\(\s?\$_",
        r"runtime\.getruntime\(\)\.exec\s?\(",
        r"__import__\s?\(\s?['\"]?(?:os|subprocess)",
        r"\bos\.system\s?\(\s?['\"](?:id|cat|ls|whoami|rm|curl|wget|nc)\b",
        r"process\.mainmodule\.require",
        r"child_process['\"]?\)\.exec",
    )
)
_WITHOUT_SPACES: Final = re.compile(
    r"\$\{?IFS\}?(?![A-Za-z])|\{(?:cat|ls|id|ping|curl|wget|nc|sleep|echo|rm),[^}\n ]{1,80}\}"
)


def _second_command(forms: Forms, subject: Subject) -> bool:
    text = forms.shell
    if subject == "name" and _IN_NAME.search(text):
        return True
    return bool(_LEADING.match(text) or _is_behind_a_value(text) or _GLUED.search(text))


def _is_behind_a_value(text: str) -> bool:
    """``127.0.0.1; id`` and ``x && ls``, but neither ``make && ls`` nor the columns ``name; id``."""
    found = _SINGLE.match(text)
    if found is None:
        return False
    before, separator, command = found.groups()
    if before.lower() in _USUAL or (separator == "$(" and before.endswith("=")):
        return False
    may_be_word = _SHORT_ONLY.fullmatch(command) is not None and _ALONE_ONLY.match(command) is None
    return not may_be_word or separator not in (";", "|", "&", "\n") or _VALUE.search(before) is not None


def _system_file(forms: Forms, _: Subject) -> bool:
    return _SYSTEM_FILE.search(forms.shell) is not None


def _never_honest(forms: Forms, _: Subject) -> bool:
    return bool(_NEVER_HONEST.search(forms.plain) or _WITHOUT_SPACES.search(forms.cased))


RULES: Final = (
    TextRule("second_command", COMMAND, 7, _second_command),
    TextRule("command_on_system_file", COMMAND, 8, _system_file),
    TextRule("shell_code", COMMAND, 8, _never_honest),
)
