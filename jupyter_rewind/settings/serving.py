"""Settings of `jupyter rewind serve`, of images after each cell, and of JuSnap's interface.

Every option of JuSnap has one here or among those of `Rewind`; the table is in `jusnap`.
"""

from __future__ import annotations

from traitlets import Bool, Enum, Integer, Unicode
from traitlets.config import Configurable

STARTER_VARIABLE = "REWIND_STARTER"
ARGUMENTS_VARIABLE = "REWIND_ARGUMENTS"
"""Tells a server the pipe that it shares with the command which started it."""


class Name(Unicode[str, str]):
    """A name, or a number instead of one."""

    def validate(self, obj: object, value: object) -> str:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return str(super().validate(obj, str(value) if is_number else value)).strip()


class Serving(Configurable):
    """A part of `Rewind`, which stands in a file of its own for its length."""

    kernels_auto_images = Bool(
        False,
        help="With kernels.images: make a process image after each cell. A server that runs follows"
        " a change at once.",
    ).tag(config=True)
    kernels_image_cooldown_seconds = Integer(
        5,
        min=0,
        help="Least seconds between two process images that are made by themselves, or through"
        " JuSnap's interface. The state after the last cell is kept when they are over.",
    ).tag(config=True)
    kernels_hibernate_after = Integer(
        0,
        min=0,
        help="With kernels.images: a kernel that has been idle for so many seconds is kept in a"
        " process image and ended. It comes back when its page connects or asks for anything."
        " 0: never.",
    ).tag(config=True)
    kernels_ghost_limit_mb = Integer(
        64,
        min=1,
        help="A deleted file that a kernel still has open goes into its process image, if it is at"
        " most this many megabytes large; else no image is made.",
    ).tag(config=True)

    kernels_image_history = Bool(
        True,
        help="IPython's history of the run goes into its process images; a restore adds what is"
        " missing from the history by then, and removes nothing.",
    ).tag(config=True)

    kernels_templates = Integer(
        0,
        min=0,
        max=100,
        help="With kernels.host, without kernels.images: after each of this many last cells, the"
        " whole kernel sleeps as it is then, in memory, and `%rewind to 7 --whole` goes on from"
        " there: with generators, iterators and the state of C libraries. 0: none.",
    ).tag(config=True)
    kernels_templates_mb = Integer(
        4096,
        min=1,
        help="The templates of a kernel hold at most this many megabytes of memory together that"
        " the kernel itself does not have; beyond it, the oldest go.",
    ).tag(config=True)

    jusnap_api = Bool(
        False,
        help="Serve JuSnap's interface, /api/snap, too, behind Jupyter's own authentication.",
    ).tag(config=True)
    jusnap_http_port = Integer(
        0, min=0, help="A second port at which Jupyter listens. 0: none."
    ).tag(config=True)
    jusnap_read_timeout_seconds = Integer(
        0, min=0, help="A request must have arrived whole within so many seconds. 0: no limit."
    ).tag(config=True)
    jusnap_write_timeout_seconds = Integer(
        0,
        min=0,
        help="JuSnap's interface answers within so many seconds, if need be that the work goes on."
        " 0: when it is done.",
    ).tag(config=True)

    serve_app = Enum(
        ("lab", "notebook", "server"),
        default_value="lab",
        help="What `jupyter rewind serve` starts: JupyterLab, Notebook 7, or a bare server.",
    ).tag(config=True)
    serve_ip = Unicode(
        "", help="The address at which `serve` listens. Empty: as Jupyter's configuration says."
    ).tag(config=True)
    serve_port = Integer(
        0, min=0, help="The port of `serve`. 0: as Jupyter's configuration says."
    ).tag(config=True)
    serve_certfile = Unicode("", help="A certificate, with which `serve` speaks HTTPS.").tag(
        config=True, path=True
    )
    serve_keyfile = Unicode(
        "", help="The private key of the certificate, where that does not hold it."
    ).tag(config=True, path=True)
    serve_python = Unicode(
        "", help="The Python that runs the kernel python3 under `serve`. Empty: Jupyter's own."
    ).tag(config=True)
    serve_kernel_arguments = Unicode(
        "", help="More arguments for the kernel python3 under `serve`, as in a shell."
    ).tag(config=True)
    serve_jupyter_arguments = Unicode(
        "", help="More arguments for Jupyter under `serve`, as in a shell."
    ).tag(config=True)
    serve_history_file = Unicode(
        "",
        help="The file in which the kernel python3 keeps IPython's history under `serve`. Empty:"
        " IPython's own.",
    ).tag(config=True, path=True)
    serve_runtime_path = Unicode(
        "", help="The runtime folder of `serve` and its kernels. Empty: Jupyter's own."
    ).tag(config=True, path=True)
    serve_log_file = Unicode(
        "", help="Where Jupyter's log goes under `serve`. Empty: to the terminal."
    ).tag(config=True, path=True)
    serve_log_level = Enum(
        ("debug", "info", "warning", "error", "critical"),
        default_value="info",
        help="How much Jupyter logs under `serve`.",
    ).tag(config=True)
    serve_uid = Name(
        "",
        help="The user, by name or number, as whom `serve` runs Jupyter where root starts it."
        " Empty, or -1: who starts it.",
    ).tag(config=True)
    serve_gid = Name(
        "",
        help="The group, by name or number, as which `serve` runs Jupyter where root starts it."
        " Empty, or -1: that of the user.",
    ).tag(config=True)
    serve_shutdown_seconds = Integer(
        10,
        min=0,
        help="So long `serve` waits, when it is stopped, until Jupyter has ended by itself.",
    ).tag(config=True)
