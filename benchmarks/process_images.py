"""What images of a kernel cost: the first, a second one after 1 % changed, and bringing it back.

    python benchmarks/process_images.py [MEGABYTES]...

Each row is one kernel whose memory holds that much of random numbers. `criu` is CRIU alone writing
its files, as it would each time; `create` is the whole command's work. Needs what process images
need; says so and ends where it is not there.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from jupyter_rewind.kernels.hosting.record import Place
from jupyter_rewind.kernels.hosting.rooms import ask_keeper
from jupyter_rewind.kernels.images.criu import dump_command
from jupyter_rewind.kernels.images.imaging import ProcessImages
from jupyter_rewind.settings import Rewind
from jupyter_rewind.store.repository import Repository
from tests.support.criu import usable_criu


def measure(megabytes: int, folder: Path) -> str:
    criu = usable_criu()
    os.environ["JUPYTER_REWIND_KERNELS_IMAGES"] = "true"
    manager = KernelManager(connection_file=str(folder / "kernel.json"))
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="measured",
        language="python",
        metadata={"kernel_provisioner": {"provisioner_name": "rewind-host"}},
    )
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    run = client.execute_interactive
    run(
        f"import random\nparts = [bytearray(random.randbytes(1 << 20)) for _ in range({megabytes})]"
    )
    place = Place(folder / "kernel.json", str(manager.kernel_id))
    alone = folder / "alone"
    alone.mkdir()
    begun = time.perf_counter()
    command = {"command": dump_command(criu, alone), "seconds": 300}
    assert ask_keeper(place.folder, "dump", command, seconds=300) == {}
    dumped = time.perf_counter() - begun
    ask_keeper(place.folder, "go_on", {})
    size = sum(each.stat().st_size for each in alone.iterdir())
    settings = Rewind()
    settings.kernels_criu = criu.path
    with Repository.open(folder / "store", key_folder=folder / "keys", create=True) as repository:
        images = ProcessImages(repository, settings, folder)
        (hosted,) = images.kernels()
        times = []
        made = []
        for _ in range(2):
            begun = time.perf_counter()
            made.append(images.create(hosted))
            times.append(time.perf_counter() - begun)
            run("for part in random.sample(parts, max(1, len(parts) // 100)):\n"
                "    part[:] = random.randbytes(1 << 20)")  # fmt: skip
        begun = time.perf_counter()
        images.restore(hosted, made[0])
        times.append(time.perf_counter() - begun)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    share = made[1].new_bytes / made[0].new_bytes
    return (
        f"{megabytes:>6} MB | criu {dumped:6.2f} s {size >> 20:>6} MB"
        f" | create {times[0]:6.2f} s {made[0].new_bytes >> 20:>6} MB"
        f" | second {times[1]:6.2f} s {made[1].new_bytes / 2**20:7.1f} MB ({share:.1%})"
        f" | restore with the present kept {times[2]:6.2f} s"
    )


def main() -> int:
    problem = usable_criu().problem
    if problem:
        print(f"No process images here: {problem}.")
        return 1
    for megabytes in [int(each) for each in sys.argv[1:]] or [100, 1000]:
        with tempfile.TemporaryDirectory() as folder:
            print(measure(megabytes, Path(folder)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
