"""The settings: one set of traits, the same in server, kernel and command line.

A trait such as `store_path` is written `store.path` on the command line, JUPYTER_REWIND_STORE_PATH
in the environment and `c.Rewind.store_path` in a settings file. What is not understood is never
passed over in silence: the command line refuses it with words, for a mistyped name would put a
user's history where nobody looks for it; a server tells it and goes on, for a save that is not kept
is worse, unless the mistake is in where or how the store lies.
Nothing here writes; `jupyter_rewind.store.preferences` edits the user's settings file.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir
from traitlets import Bool, Enum, Integer, TraitError, TraitType, Unicode, default, validate
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigList

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.settings.elsewhere import Elsewhere
from jupyter_rewind.settings.serving import Serving
from jupyter_rewind.settings.sizes import Size
from jupyter_rewind.settings.sources import (
    ENVIRONMENT_PREFIX,
    FLAG,
    SettingProblem,
    Tell,
    find_values,
    find_wandering,
    refuse,
    say_origin,
)

Value = str | int | bool

_NEEDED = ("store_path", "store_key_folder")
_PATHS = (
    *_NEEDED, "store_index_path", "serve_certfile", "serve_keyfile", "serve_history_file",
    "serve_runtime_path", "serve_log_file",
)  # fmt: skip


class Rewind(Elsewhere, Serving):
    """Every setting of Jupyter Rewind, with its default and its help."""

    store_path = Unicode(
        help="Folder of the store. Keep it outside your projects, on a disk with room."
    ).tag(config=True, shown_default="<Jupyter's data folder>/rewind", path=True)
    store_key_folder = Unicode(
        help="Folder of the keys that mark records as yours. Never put it inside the store."
    ).tag(config=True, shown_default="<Jupyter's config folder>/rewind-keys", path=True)
    store_index_path = Unicode(
        "",
        help="File of the index, which can be thrown away at any time. Empty: beside the store, or "
        "in your cache folder where the store lies on a network file system. A file that is not "
        "this store's index stays as it is, and the index lies beside it.",
    ).tag(config=True, path=True)
    store_encrypt = Bool(
        False,
        help="Encrypt a store that is made from now on, with AES-256-GCM. One that is there "
        "already becomes encrypted with `jupyter rewind key rotate --encrypt --yes`.",
    ).tag(config=True)
    store_durability = Enum(
        ("power", "process"),
        default_value="power",
        help="What a stored checkpoint survives: 'power' (a power cut, one disk flush each) or "
        "'process' (only the end of the program; the system writes to disk when it likes).",
    ).tag(config=True)

    store_quota = Size(
        "",
        help="The most that the store may take, such as 20 GB. Beyond it the oldest checkpoints and"
        " states expire, never the newest, and none with a label or a pin. Empty: no limit.",
    ).tag(config=True)

    notebooks_autosave_seconds = Integer(
        10,
        min=0,
        help="Least seconds between two autosaves; the interval is ten times the last save's "
        "duration where that is longer. 0 leaves the interval to the front end.",
    ).tag(config=True)
    notebooks_scan_seconds = Integer(
        30,
        min=0,
        help="Seconds between two looks at opened and listed notebooks for damage and changes from "
        "outside Jupyter. 0 turns the looks off.",
    ).tag(config=True)
    notebooks_text_files = Bool(
        True, help="Keep checkpoints of other files saved or uploaded in Jupyter, too: text or not."
    ).tag(config=True)
    notebooks_max_file_mb = Integer(
        512, min=1, help="Files larger than this many megabytes are not kept; a notice says so."
    ).tag(config=True)
    notebooks_refuse_empty = Bool(
        True,
        help="Refuse a save that would replace a notebook that has cells by an empty one.",
    ).tag(config=True)

    drafts_keep_days = Integer(
        30,
        min=1,
        help="Keep edits that a browser handed over and that nobody saved, restored or discarded"
        " for this many days.",
    ).tag(config=True)

    kernels_enabled = Bool(
        True, help="Keep a journal and snapshots of the kernels that have Rewind installed."
    ).tag(config=True)
    kernels_resume = Enum(
        ("ask", "always", "never"),
        default_value="ask",
        help="When a kernel ended unexpectedly, the next one of the same notebook offers its last"
        " state ('ask'), takes it over before the first cell ('always'), or does not ('never').",
    ).tag(config=True)
    kernels_host = Bool(
        False,
        help="Start kernels so that they do not need their server (Linux only): when it is killed,"
        " they go on, and the next server takes them over.",
    ).tag(config=True)
    kernels_outlive = Bool(
        False,
        help="With kernels.host: leave kernels running when the server is stopped, too.",
    ).tag(config=True)
    kernels_images = Bool(
        False,
        help="With kernels.host, and CRIU 4.2 or later: start kernels so that images of their"
        " whole processes can be made. Page tracking is off in such kernels.",
    ).tag(config=True)
    kernels_keep_images = Integer(
        5, min=1, help="Keep this many of the newest process images of each kernel."
    ).tag(config=True)
    kernels_criu = Unicode(
        "", help="The program criu, where it is not found by itself, or another one shall be used."
    ).tag(config=True)
    kernels_budget_percent = Integer(
        5,
        min=0,
        help="Snapshots take at most this share of the time that the cells themselves took; beyond"
        " it, a state is kept without its largest variables, or merged with the next one's.",
    ).tag(config=True)
    kernels_budget_floor_ms = Integer(
        50, min=0, help="Milliseconds that a snapshot may take after each cell in any case."
    ).tag(config=True)
    kernels_cooldown_seconds = Integer(
        0, min=0, help="Least seconds between two snapshots. 0: one after each cell."
    ).tag(config=True)
    kernels_max_variable_mb = Integer(
        0,
        min=0,
        help="A variable larger than this many megabytes is not kept, and a notice says so."
        " 0: no limit.",
    ).tag(config=True)
    kernels_max_module_mb = Integer(
        256,
        min=0,
        help="What the variables of your own modules hold is kept, too, unless one holds more than"
        " this many megabytes. 0: none is kept.",
    ).tag(config=True)
    kernels_max_output_mb = Integer(
        64, min=0, help="Keep at most this many megabytes of the outputs of each execution."
    ).tag(config=True)
    kernels_page_tracking = Bool(
        False,
        help="Find changes of large arrays through the system's page tables (Linux 6.7 or later).",
    ).tag(config=True)
    kernels_keep_runs = Integer(
        10, min=1, help="Keep the newest snapshots of this many runs of each notebook."
    ).tag(config=True)
    kernels_journal_days = Integer(
        180,
        min=1,
        help="Keep the journal of a run, its cells and outputs, for this many days, and longer"
        " while a state of it is kept.",
    ).tag(config=True)
    kernels_keep_snapshots = Integer(
        100, min=1, help="Keep this many of the newest snapshots of each run that is kept."
    ).tag(config=True)

    retention_keep_last = Integer(
        100, min=1, help="Keep at least this many of each notebook's newest checkpoints."
    ).tag(config=True)
    retention_hourly = Integer(
        72, min=0, help="Keep one checkpoint of each of this many hours that have one."
    ).tag(config=True)
    retention_daily = Integer(
        60, min=0, help="Keep one checkpoint of each of this many days that have one."
    ).tag(config=True)
    retention_weekly = Integer(
        104, min=0, help="Keep one checkpoint of each of this many weeks that have one."
    ).tag(config=True)
    retention_deleted_days = Integer(
        180, min=0, help="Keep the history of a deleted notebook for this many days."
    ).tag(config=True)

    upkeep_automatic = Bool(
        True, help="Let the server expire and collect by itself, by the retention settings."
    ).tag(config=True)
    upkeep_interval_hours = Integer(
        24, min=1, help="Hours between two automatic rounds of expire and collect."
    ).tag(config=True)

    @default("store_path")
    def _default_store_path(self) -> str:
        return str(Path(jupyter_data_dir()) / "rewind")

    @default("store_key_folder")
    def _default_store_key_folder(self) -> str:
        return str(Path(jupyter_config_dir()) / "rewind-keys")

    @validate(*_PATHS)
    def _absolute(self, proposal: dict[str, object]) -> str:
        path = os.path.expanduser(str(proposal["value"]))
        trait = proposal["trait"]
        if path == "" and isinstance(trait, TraitType) and trait.name not in _NEEDED:
            return ""
        if not os.path.isabs(path):
            raise TraitError("not an absolute path")
        return os.path.normpath(path)

    @classmethod
    def load(
        cls, overrides: Mapping[str, str] | None = None, config: Config | None = None
    ) -> Rewind:
        """The settings in force here: `overrides` (dotted keys, from flags), then `config` (a
        server's), then the environment, then the settings files, the user's before the system's.

        Raises InvalidInput for an unknown name, a bad value or a file with a mistake, and Denied
        for a file that may not be read; the message names where it stands.
        """
        return cls._load(overrides or {}, config, refuse)

    @classmethod
    def load_leniently(
        cls, overrides: Mapping[str, str] | None = None, config: Config | None = None
    ) -> Rewind:
        """As `load`, but mistakes are left out and stand in `problems`; those of a flag raise."""
        found: list[SettingProblem] = []
        settings = cls._load(overrides or {}, config, found.append)
        settings.problems = tuple(found)
        return settings

    @classmethod
    def _load(cls, overrides: Mapping[str, str], config: Config | None, tell: Tell) -> Rewind:
        settings = cls()
        for key, value, origin in find_values(overrides, config, tell):
            name = ""
            try:
                name = trait_name(key, origin)
                settings._take(name, value, origin)
            except InvalidInput as error:
                if origin == FLAG:
                    raise
                tell(SettingProblem(error, key, origin, name in _VITAL))
        for problem in find_wandering(sorted(_VITAL - settings._origins.keys())):
            tell(problem)
        return settings

    def origin_of(self, key: str) -> str:
        """Where the value in force comes from; `default` where nobody set it."""
        return self._origins.get(trait_name(key), "default")

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._origins: dict[str, str] = {}
        self.problems: tuple[SettingProblem, ...] = ()

    def _take(self, name: str, value: object, origin: str) -> None:
        setattr(self, name, _converted(name, value, origin))
        self._origins[name] = origin


Settings = Rewind


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as `jupyter rewind config` shows it; `origin` says where `value` comes from."""

    key: str
    value: Value
    origin: str
    help: str
    default: Value


def describe(settings: Rewind) -> list[SettingRow]:
    """Every setting with its value in force and where that comes from, in the order of the docs."""
    stock = Rewind()
    return [
        SettingRow(
            key=dotted_key(name),
            value=getattr(settings, name),
            origin=settings.origin_of(dotted_key(name)),
            help=trait.help,
            default=getattr(stock, name),
        )
        for name, trait in setting_traits().items()
    ]


def setting_traits() -> dict[str, TraitType[object, object]]:
    """Trait by trait name, in the order they are written above."""
    traits = Rewind.class_traits(config=True)
    order = [name for kind in Rewind.__mro__ for name in vars(kind) if name in traits]
    return {name: traits[name] for name in order}


def dotted_key(name: str) -> str:
    """`store_path` -> `store.path`."""
    return name.replace("_", ".", 1)


def environment_name(key: str) -> str:
    """`store.path` -> `JUPYTER_REWIND_STORE_PATH`."""
    return ENVIRONMENT_PREFIX + key.replace(".", "_").upper()


def trait_name(key: str, origin: str = "") -> str:
    """`store.path` -> `store_path`; Raises InvalidInput, with the nearest key, for any other."""
    name = key.strip().lower().replace(".", "_")
    if name in setting_traits():
        return name
    near = difflib.get_close_matches(name, setting_traits(), n=1)
    hint = f"Did you mean {dotted_key(near[0])}?" if near else "`jupyter rewind config` lists them."
    raise InvalidInput(f"There is no setting {key}{say_origin(origin)}.", hint=hint)


def parse_value(key: str, text: str, origin: str = "") -> Value:
    """The value that `text` means for `key`, checked; Raises InvalidInput."""
    return _converted(trait_name(key, origin), text, origin)


_VITAL = {"store_path", "store_key_folder", "store_index_path", "store_durability"}

_WORDS = {"true": True, "yes": True, "on": True, "1": True}
_WORDS |= {"false": False, "no": False, "off": False, "0": False}


def _converted(name: str, value: object, origin: str) -> Value:
    trait = setting_traits()[name]
    if isinstance(value, DeferredConfigList) and value:
        value = value[-1]  # a flag given twice
    given, probe = value, Rewind()
    try:
        if isinstance(value, str) and isinstance(trait, Bool):
            value = _WORDS[value.strip().lower()]
        elif isinstance(value, str) and isinstance(trait, Integer):
            value = int(value)
        elif isinstance(value, bool) and isinstance(trait, Integer):
            raise ValueError("a truth value is no number")
        setattr(probe, name, value)
    except (TraitError, ValueError, KeyError) as error:
        raise InvalidInput(
            f"The setting {dotted_key(name)} cannot be {_shown(name, given)}{say_origin(origin)}.",
            hint=f"It must be {_expected(trait)}.",
        ) from error
    result: Value = getattr(probe, name)
    return result


def _shown(name: str, given: object) -> str:
    is_private = setting_traits()[name].metadata.get("private")
    return "what it was set to" if is_private else repr(given)


def _expected(trait: TraitType[object, object]) -> str:
    if isinstance(trait, Bool):
        return "true or false"
    if isinstance(trait, Integer):
        return f"a whole number, {trait.min} or more"
    if isinstance(trait, Enum):
        return "one of " + ", ".join(map(str, trait.values or ()))
    if trait.metadata.get("path"):
        return "an absolute path, or one that begins with ~"
    if isinstance(trait, Size):
        return trait.info_text
    return str(trait.metadata.get("private", "text"))
