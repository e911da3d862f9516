"""Writes the files of this folder. They were written once, at commit 698f668, and stay: they are what users have.

Run it only to add a file of a new kind, with the code of the day that the file is to stand for (it reaches into modules
of that day, so for the files that are here check out that commit)::

    python -m tests.earlier_files.write FOLDER
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pyarrow.parquet as pq

import synthgan
from synthgan import Privacy, Synthesizer, write_schema
from synthgan.fitting.receipt import split
from tests.earlier_files.table import EXACT, PRIVATE, PRIVATE_SCHEMA, private, table

STEP = 8
"""After which the interrupted fits ended."""


SLEPT = 20
"""Seconds that the first steps took longer, by which a test tells that they were not taken again."""


class Killed(BaseException):
    """In place of SIGKILL: nothing in the package handles it."""


@contextmanager
def killed():
    """Every step is saved, and the fit ends without a farewell."""
    from synthgan.training.checkpoint import Checkpoint
    from synthgan.training.loop import Trainer

    plain = Trainer._prepare

    def prepare(self, learning_rate):
        if self.step == 3:
            time.sleep(SLEPT)
        if self.step == STEP:
            raise Killed
        return plain(self, learning_rate)

    with mock.patch.object(Trainer, "_prepare", prepare), mock.patch.object(Checkpoint, "save_if_due", Checkpoint.save):
        try:
            yield
        except Killed:
            return
    raise AssertionError("the fit was not interrupted")


def write(folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = table()
    with TemporaryDirectory() as name:
        temporary = Path(name)
        with killed():
            Synthesizer(**EXACT).fit(rows, checkpoint=folder / "exact.checkpoint")
        shutil.copy(folder / "exact.checkpoint", temporary)
        exact = Synthesizer(**EXACT).fit(rows, checkpoint=temporary / "exact.checkpoint")
        exact.save(folder / "exact.synthgan")
        write_schema(exact.schema_, folder / "exact.schema.json")
        (folder / "declared.schema.json").write_text(json.dumps(PRIVATE_SCHEMA, indent=2) + "\n", encoding="utf-8")
        exact.sample_to(temporary / "rows.csv", 200, random_state=3)
        listed = {
            "sampled with seed 3": (temporary / "rows.csv").read_text(encoding="utf-8").splitlines(),
            "held out": [str(code) for code in split(rows, exact.receipt_)[1].to_frame()["code"]],
        }
        (folder / "exact.rows.json").write_text(json.dumps(listed, indent=0) + "\n", encoding="utf-8")

        account = folder / "fits.json"
        Synthesizer(privacy=Privacy(2.0, ledger=account), **PRIVATE).fit(rows)
        with killed():
            Synthesizer(privacy=private(account), **PRIVATE).fit(rows, checkpoint=folder / "private.checkpoint")
        (folder / ".fits.json.lock").unlink()  # of the machine, not of the account
        for file in ("fits.json", "private.checkpoint", "private.checkpoint.journal"):
            shutil.copy(folder / file, temporary)
        finished = Synthesizer(privacy=private(temporary / "fits.json"), **PRIVATE)
        finished.fit(rows, checkpoint=temporary / "private.checkpoint").save(folder / "private.synthgan")

        policy = Path(synthgan.__file__).parent / "review" / "default_policy.toml"
        (folder / "policy.toml").write_bytes(policy.read_bytes())
        pq.write_table(rows, temporary / "table.parquet")
        for kind in ("exact", "private"):
            bundle = temporary / kind
            command = [sys.executable, "-m", "synthgan", "review", str(folder / f"{kind}.synthgan")]
            options = [
                "--data",
                "table.parquet",
                "-o",
                str(bundle),
                "--seed",
                "3",
                "--date",
                "2026-12-01",
                "--jobs",
                "1",
            ]
            options += ["--policy", str(folder / "policy.toml")]
            print(kind, subprocess.run([*command, *options], cwd=temporary, check=False).returncode)  # noqa: T201
            with ZipFile(folder / f"{kind}.bundle.zip", "w", ZIP_DEFLATED) as archive:
                for path in sorted(bundle.rglob("*")):
                    if path.is_file():
                        archive.writestr(ZipInfo(path.relative_to(bundle).as_posix()), path.read_bytes(), ZIP_DEFLATED)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
