"""Builds the Go programs beside this file, offline; `gotlog` against Debian's golang.org/x/mod, `gobundle` alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
LIBRARY = Path("/usr/share/gocode")
INSTALL = "apt install golang-go golang-golang-x-mod-dev"


def can_build() -> bool:
    """Whether Go and its library are here."""
    return shutil.which("go") is not None and (LIBRARY / "src/golang.org/x/mod/sumdb/tlog").is_dir()


def build(folder: Path, name: str = "gotlog") -> Path:
    """The built program."""
    program = folder / name
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(LIBRARY), "GOFLAGS": "", "HOME": str(folder)}
    environment |= {"GOCACHE": os.environ.get("GOCACHE", str(Path.home() / ".cache" / "go-build"))}
    sources = sorted(map(str, (HERE / name).glob("*.go")))
    subprocess.run(["go", "build", "-o", str(program), *sources], check=True, env=environment)
    return program


def run(program: Path, *words: str) -> tuple[int, str]:
    """Exit code and what it printed on both outputs."""
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
