"""Commands whose words stay words: they start 95 ms sooner.

Later versions of typer hand each value of the command line through pydantic, whose import alone
costs that. Text, lists of text, and what was not given need no conversion; all else goes the usual
way, as does everything in versions of typer that are made otherwise.

An option whose value may be left out, which typer does not know, gets its value here. A number
below zero is no option.
"""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

_LEFT_OUT = {"--read-data": "100%"}
"""What these options say without a value, where they take one."""

_SENTENCE = 300
_NUMBER = re.compile(r"-\d+(\.\d+)?")


class QuickCommand(TyperCommand):
    """A command of ours."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        parameters = self.get_params(ctx)
        return super().parse_args(ctx, _with_numbers(parameters, _with_values(parameters, args)))

    def get_params(self, ctx: Any) -> Any:
        return _quick(super().get_params(ctx))

    def get_short_help_str(self, limit: int = 45) -> str:
        """The whole first sentence, on several lines if need be: half of it tells nothing."""
        return str(super().get_short_help_str(max(limit, _SENTENCE)))


class QuickGroup(TyperGroup):
    """The command that has them."""

    def get_params(self, ctx: Any) -> Any:
        return _quick(super().get_params(ctx))


def _with_values(parameters: Any, args: list[str]) -> list[str]:
    """`args` in which every option that takes a value has one."""
    taking = {
        name
        for each in parameters
        for name in each.opts
        if name in _LEFT_OUT and not getattr(each, "is_flag", False)
    }
    end = args.index("--") if "--" in args else len(args)
    return [
        f"{each}={_LEFT_OUT[each]}" if at < end and each in taking else each
        for at, each in enumerate(args)
    ]


def _with_numbers(parameters: Any, args: list[str]) -> list[str]:
    """`args` in which a number below zero that comes last, options aside, is told from these."""
    end = args.index("--") if "--" in args else len(args)
    taking = {
        name
        for each in parameters
        if each.param_type_name == "option" and not getattr(each, "is_flag", False)
        for name in each.opts
    }
    for at, each in enumerate(args[:end]):
        is_value = at > 0 and args[at - 1] in taking
        if _NUMBER.fullmatch(each) and not is_value:
            more = args[at + 1 : end]
            are_options = all(word.startswith("-") for word in more)
            return [*args[:at], *more, "--", each, *args[end + 1 :]] if are_options else args
    return args


class _Words:
    """Stands where typer keeps what converts the value of one parameter."""

    def __init__(self, parameter: Any) -> None:
        self._parameter = parameter
        self._kind = parameter.type_descriptor.annotation
        self._many = parameter.multiple or parameter.nargs == -1

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None:
            return () if self._many else None
        if self._kind == list[str] and all(isinstance(each, str) for each in value):
            return list(value)
        if isinstance(value, str) and self._kind is str:
            return value
        self._parameter._runtime_param = None
        return self._parameter.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _quick(parameters: Any) -> Any:
    for each in parameters:
        if hasattr(each, "get_runtime_param") and getattr(each, "_runtime_param", ...) is None:
            each._runtime_param = _Words(each)
    return parameters
