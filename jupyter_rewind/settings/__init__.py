"""The settings: what there is to choose, and where it was chosen."""

from jupyter_rewind.settings.secrecy import hide_secrets, holds_login
from jupyter_rewind.settings.sizes import parse_size
from jupyter_rewind.settings.sources import (
    ENVIRONMENT_PREFIX,
    FILE_STEM,
    SECTION,
    SettingProblem,
    read_json_file,
    user_file,
)
from jupyter_rewind.settings.traits import (
    Rewind,
    SettingRow,
    Settings,
    Value,
    describe,
    dotted_key,
    environment_name,
    parse_value,
    setting_traits,
    trait_name,
)

__all__ = [
    "ENVIRONMENT_PREFIX", "FILE_STEM", "SECTION", "Rewind", "SettingProblem", "SettingRow",
    "Settings", "Value", "describe", "dotted_key", "environment_name", "hide_secrets",
    "holds_login", "parse_size", "parse_value", "read_json_file", "setting_traits", "trait_name",
    "user_file",
]  # fmt: skip
