"""Where the kernel does not watch, files are polled, and one line says so."""

import asyncio
import errno
import subprocess
import sys
from pathlib import Path

import pytest

from codelocd.watch import folders
from codelocd.watch.polling import Mounts
from tests.supervisor.watch.listening import Listener

IN_A_NAMESPACE = """
import asyncio, sys
from pathlib import Path
Path("/proc/sys/user/max_inotify_watches").write_text("3")
from codelocd.watch.notices import Watched
from codelocd.watch.watch import SourceWatch

async def main(base):
    changed, problems = asyncio.Queue(), []
    loop = asyncio.get_running_loop()
    watch = SourceWatch(lambda _, change: changed.put_nowait(change), problems.append, loop, 0.02)
    files = sorted(map(str, Path(base).glob("*/m.py")))
    watch.follow("sales", Watched(frozenset(files), (base,), (), (), base, frozenset()))
    for file in files:
        watch.begin("sales")
        whole = Path(base, "whole.txt")  # who looks every 20 ms would see half a file
        whole.write_text("new")
        whole.replace(file)
        async with asyncio.timeout(60):
            assert (await changed.get()).paths == (file,)
    watch.close()
    print(*problems, sep="\\n")

asyncio.run(main(sys.argv[1]))
"""


def unshare(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", *command], capture_output=True, text=True
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's own")
def test_with_three_watches_for_ten_folders_every_change_is_seen(tmp_path: Path) -> None:
    if unshare("true").returncode:
        pytest.skip("user namespaces are not allowed here (unshare --user)")
    for n in range(10):
        (tmp_path / f"p{n}").mkdir()
        (tmp_path / f"p{n}" / "m.py").write_text("old")
    done = unshare(sys.executable, "-c", IN_A_NAMESPACE, str(tmp_path))
    assert done.returncode == 0, done.stderr
    (problem,) = done.stdout.splitlines()
    assert "no file watches left" in problem
    assert "fs.inotify.max_user_watches" in problem
    assert str(tmp_path) in problem


async def test_without_an_inotify_instance_everything_is_polled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> folders.Watcher:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(folders, "_make_watcher", refuse)
    listener = Listener(tmp_path, poll_interval=0.01)
    (problem,) = listener.problems
    assert "Too many open files" in problem
    assert "max_user_instances" in problem
    defs = listener.write("defs.py", "old")
    listener.serve(defs)
    defs.write_text("new")
    await listener.changed_to({defs: "new"})
    listener.watch.close()


async def test_a_folder_on_a_network_file_system_is_watched_and_polled(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    number = f"{device >> 8 & 0xFFF}:{device & 0xFF}"
    table = tmp_path / "mountinfo"
    table.write_text(f"36 35 {number} / /srv rw,noatime shared:1 - nfs4 server:/srv rw\n")
    assert Mounts(table).is_remote(str(tmp_path))
    table.write_text(f"36 35 {number} / /srv rw,noatime - ext4 /dev/vda rw\n")
    assert not Mounts(table).is_remote(str(tmp_path))

    class Remote(Mounts):
        def is_remote(self, folder: str) -> bool:
            return True

    loop, told = asyncio.get_running_loop(), list[object]()
    shared = folders.Folders(loop, told.append, told.append, Remote())
    assert shared.claim("sales", [str(tmp_path)])
    assert str(tmp_path) in shared._poller._listings
    assert shared.claim("sales", []) is False
    assert not shared._poller._listings
    shared.close()
