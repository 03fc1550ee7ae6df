"""The lists of packages are complete, and deploy/install.sh installs exactly what stands in them.

A list of last month must install next month. It did not while a list named ``coverage`` where a package asks for
``coverage[toml]``: pip looked for that one itself, found a release that was made since, and refused it: no hash.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent.parent
LISTS = ("requirements", "requirements-alibaba", "requirements-dev")
HASH = re.compile(r" --hash=sha256:[0-9a-f]{64}(?= |$)")


# --- what stands in the lists ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One package of a list."""

    asked: Requirement
    hashes: int

    @property
    def name(self) -> str:
        """The one spelling of its name."""
        return canonicalize_name(self.asked.name)

    @property
    def version(self) -> str:
        """The pinned version; empty when it is not pinned to one."""
        found = re.fullmatch(r"==([^*,]+)", str(self.asked.specifier))
        return found[1] if found else ""

    @property
    def holds(self) -> bool:
        """Whether it is meant for this machine."""
        return self.asked.marker is None or self.asked.marker.evaluate()


def read_list(name: str) -> list[Line]:
    """The packages of a list. A word that is neither a package nor a hash makes this fail."""
    text = (ROOT / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    whole = [re.sub(r"\s+", " ", line.partition("#")[0]).strip() for line in text.splitlines()]
    return [Line(Requirement(HASH.sub("", line)), len(HASH.findall(line))) for line in whole if line]


def read_wishes(name: str) -> list[Requirement]:
    """What people asked for, in this file and in those that it takes in."""
    found = []
    for line in (ROOT / f"{name}.in").read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found += read_wishes(line.removeprefix("-r ").strip().removesuffix(".in"))
        elif line and not line.startswith(("#", "-c ")):
            found.append(Requirement(line))
    return found


def closure(wishes: Iterable[Requirement]) -> dict[str, list[Requirement]]:
    """All that is needed on this machine, by name: the wishes, and what installed packages ask for in their turn."""
    needed: dict[str, list[Requirement]] = defaultdict(list)
    waiting = [wish for wish in wishes if wish.marker is None or wish.marker.evaluate()]
    seen: set[tuple[str, str]] = set()
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        needed[name].append(one)
        for extra in ("", *one.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                asked = [Requirement(text) for text in metadata.requires(name) or []]
            except metadata.PackageNotFoundError:
                continue
            waiting += [need for need in asked if need.marker is None or need.marker.evaluate({"extra": extra})]
    return needed


@pytest.mark.parametrize("name", LISTS)
def test_list_is_complete(name: str) -> None:
    lines: dict[str, list[Line]] = defaultdict(list)
    for line in read_list(name):
        if line.holds:
            lines[line.name].append(line)
    needed = closure(read_wishes(name))
    faults = [f"{package} stands there and nothing needs it" for package in sorted(lines.keys() - needed.keys())]
    faults += [f"{package} stands there twice" for package, found in lines.items() if len(found) > 1]
    for package, wishes in sorted(needed.items()):
        if package not in lines:
            faults.append(f"{package} is needed and missing")
            continue
        line = lines[package][0]
        for wish in wishes:
            if not wish.specifier.contains(line.version, prereleases=True):
                faults.append(f"{package} {line.version} stands there, {wish} is needed")
            # An install with a resolver needs the extras in the list.
            if not {*map(canonicalize_name, wish.extras)} <= {*map(canonicalize_name, line.asked.extras)}:
                faults.append(f"{line.asked} stands there without the extra of {wish}")
        if metadata.version(package) != line.version:
            faults.append(f"{package} {line.version} stands there, {metadata.version(package)} is installed")
    assert len(needed) > 50
    assert not faults


def test_every_line_is_pinned_and_has_hashes() -> None:
    for name in LISTS:
        for line in read_list(name):
            assert line.version, f"{name}: {line.asked} is not pinned to one version"
            assert line.hashes, f"{name}: {line.asked} has no hash"


def test_lists_agree() -> None:
    versions: dict[str, set[str]] = defaultdict(set)
    for name in LISTS:
        for line in read_list(name):
            versions[f"{line.name} ; {line.asked.marker}"].add(line.version)
    assert {name for name, found in versions.items() if len(found) > 1} == set()
    small, middle, large = ({line.name for line in read_list(name)} for name in LISTS)
    assert small < middle < large


def test_lists_name_no_address() -> None:
    for name in LISTS:
        for ending in (".in", ".txt"):
            text = (ROOT / f"{name}{ending}").read_text(encoding="utf-8")
            assert "://" not in text, f"{name}{ending} names an address"
            assert " @ " not in text, f"{name}{ending} names a file or an address"
            options = set(re.findall(r"^\s*(-[^\s=]+)", text, re.MULTILINE))
            assert options <= ({"-r", "-c"} if ending == ".in" else {"--hash"})


def test_no_other_lock_file() -> None:
    """Three lists say what is installed; a fourth would say something else one day."""
    locks = {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "pylock.toml"}
    assert [path for path in ROOT.rglob("*lock*") if path.name in locks and ".venv" not in path.parts] == []


def test_the_program_imports_nothing_that_only_development_has() -> None:
    owners = {module: {*map(canonicalize_name, names)} for module, names in metadata.packages_distributions().items()}
    small, middle = (set(closure(read_wishes(name))) for name in LISTS[:2])
    known = {*sys.stdlib_module_names, "app", "pro"}
    for path in [ROOT / "app.py", *sorted((ROOT / "pro").rglob("*.py")), *sorted((ROOT / "deploy").glob("*.py"))]:
        # The one file that knows Alibaba Cloud's client is loaded only where that list was installed.
        allowed = middle if path.name == "alibaba_sms.py" else small
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                modules = [node.module]
            for top in {module.partition(".")[0] for module in modules} - known:
                assert owners.get(top, set()) & allowed, f"{path.relative_to(ROOT)} imports {top}"


# --- how they are installed ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of wheels, the only place where pip may look, and how they are pinned.

    ``bare``: what an empty environment holds.
    """

    folder: Path
    hashes: dict[str, str]
    bare: frozenset[str]

    @property
    def pip(self) -> Version:
        """The release of pip that came with Python."""
        return next(Version(pin.removeprefix("pip==")) for pin in self.bare if pin.startswith("pip=="))

    def lines(self, *packages: str) -> str:
        """A list that pins these."""
        return "".join(f"{package} --hash=sha256:{self.hashes[package]}\n" for package in packages)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder with nothing in it but deploy/install.sh and a list."""

    folder: Path
    shelf: Shelf

    @property
    def script(self) -> Path:
        """The copy of deploy/install.sh."""
        return self.folder / "deploy" / "install.sh"

    def install(self, text: str) -> subprocess.CompletedProcess[str]:
        """Install a list of this text."""
        (self.folder / "requirements.txt").write_text(text, encoding="utf-8")
        environment = quiet(self.shelf.folder) | {"PYTHON": str(self.shelf.folder / "python"), "MADE": str(self.made)}
        command = ["sh", str(self.script), "requirements.txt"]
        return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)

    @property
    def made(self) -> Path:
        """A line for every environment that was made."""
        return self.folder / "made"

    def environments(self) -> int:
        """How many environments were made."""
        return len(self.made.read_text(encoding="utf-8").splitlines()) if self.made.exists() else 0

    def held(self) -> set[str]:
        """What is installed, besides what an empty environment has."""
        return installed(self.folder / ".venv") - self.shelf.bare

    def pip_list(self) -> set[str]:
        """The same, as pip says it."""
        command = [str(self.folder / ".venv" / "bin" / "python"), *"-m pip list --format freeze".split()]
        done = subprocess.run(command, env=quiet(self.shelf.folder), text=True, capture_output=True, check=True)
        return set(done.stdout.split()) - self.shelf.bare

    def stamps(self) -> list[str]:
        """What the script notes about lists that are installed."""
        return sorted(path.name for path in (self.folder / ".venv").glob(".stamp-*"))


def quiet(shelf: Path) -> dict[str, str]:
    """This environment without the machine's own settings for pip."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))}
    return kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": shelf.as_uri()}


def installed(environment: Path) -> set[str]:
    """The packages of an environment, as ``name==version``. Their folders' names say it sooner than pip."""
    return {path.stem.replace("-", "==") for path in environment.glob("lib/python3.*/site-packages/*.dist-info")}


def make_wheel(folder: Path, pin: str, needs: Iterable[str] = (), extra: str = "") -> str:
    """Write a package without content; its hash."""
    name, _, version = pin.partition("==")
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    about += (f"Provides-Extra: {extra}\n" if extra else "") + "".join(f"Requires-Dist: {need}\n" for need in needs)
    parts = {
        "METADATA": about,
        "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    inside = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        for part, text in parts.items():
            wheel.writestr(f"{inside}/{part}", text)
        wheel.writestr(f"{inside}/RECORD", "".join(f"{inside}/{part},,\n" for part in (*parts, "RECORD")))
    return sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """a needs b with its extra x. b needs c, and d for its extra; b 2.0 came later. e contradicts b 1.0."""
    folder = tmp_path_factory.mktemp("shelf")
    hashes = {
        "a==1.0": make_wheel(folder, "a==1.0", ["b[x]>=1"]),
        "b==1.0": make_wheel(folder, "b==1.0", ["c", 'd; extra == "x"'], "x"),
        "b==2.0": make_wheel(folder, "b==2.0", ["c", 'd; extra == "x"'], "x"),
        "c==1.0": make_wheel(folder, "c==1.0"),
        "d==1.0": make_wheel(folder, "d==1.0"),
        "e==1.0": make_wheel(folder, "e==1.0", ["b>=2"]),
    }
    subprocess.run([sys.executable, "-m", "venv", str(folder / "empty")], check=True, env=quiet(folder))
    # Its packages are thousands of files, and a copy shares them.
    for path in [*(folder / "empty").glob("lib/python3.*/site-packages/*")]:
        if path.suffix != ".dist-info":
            path.symlink_to(shutil.move(path, folder / f"shared-{path.name}"))
    # Stands in for Python: makes an environment by copying that one, everything else is done by Python itself.
    python = folder / "python"
    python.write_text(
        '#!/bin/sh\nif [ "$1 $2" = "-m venv" ]; then\n    echo "$3" >>"$MADE"\n'
        f'    exec cp -RP {shlex.quote(str(folder / "empty"))} "$3"\nfi\nexec {shlex.quote(sys.executable)} "$@"\n',
        encoding="utf-8",
    )
    python.chmod(0o755)
    yield Shelf(folder, hashes, frozenset(installed(folder / "empty")))
    shutil.rmtree(folder)


# As the list that failed: b stands in it without the extra that a asks for, and there is a newer b.
GOOD = ("a==1.0", "b==1.0", "c==1.0", "d==1.0")


def lay_out(folder: Path, shelf: Shelf) -> Checkout:
    """A checkout in which nothing is installed yet."""
    (folder / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "install.sh", folder / "deploy")
    return Checkout(folder, shelf)


@pytest.fixture
def checkout(shelf: Shelf, tmp_path: Path) -> Iterator[Checkout]:
    """A checkout in which nothing is installed yet."""
    yield lay_out(tmp_path, shelf)
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="module")
def ready_template(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout in which the good list is installed."""
    place = lay_out(tmp_path_factory.mktemp("ready"), shelf)
    assert place.install(shelf.lines(*GOOD)).returncode == 0
    yield place.folder
    shutil.rmtree(place.folder)


@pytest.fixture
def ready(shelf: Shelf, ready_template: Path, tmp_path: Path) -> Iterator[Checkout]:
    """A copy of it."""
    shutil.copytree(ready_template, tmp_path, symlinks=True, dirs_exist_ok=True)
    yield Checkout(tmp_path, shelf)
    shutil.rmtree(tmp_path)


def test_list_installs_though_there_are_newer_releases(checkout: Checkout, shelf: Shelf) -> None:
    done = checkout.install(shelf.lines(*GOOD))
    assert (done.returncode, done.stderr) == (0, "")
    assert checkout.held() == checkout.pip_list() == set(GOOD)
    assert checkout.stamps() == [".stamp-covered-requirements.txt", ".stamp-requirements.txt"]
    again = checkout.install(shelf.lines(*GOOD))
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert checkout.environments() == 1


def test_with_a_resolver_it_would_not(checkout: Checkout, shelf: Shelf) -> None:
    """The test above is worth something: without the option that it is about, it fails with the pip of Python 3.11."""
    text = checkout.script.read_text(encoding="utf-8")
    assert text.count("--no-deps --only-binary") == 1
    checkout.script.write_text(text.replace("--no-deps --only-binary", "--only-binary"), encoding="utf-8")
    done = checkout.install(shelf.lines(*GOOD))
    if shelf.pip >= Version("23.3"):
        return  # Since then pip keeps to the pinned release. The next test fails without the option with any pip.
    assert done.returncode != 0
    assert "--require-hashes" in done.stderr
    assert "b[x]>=1" in done.stderr
    assert checkout.stamps() == []


def test_list_that_lacks_a_package_is_refused(checkout: Checkout, shelf: Shelf) -> None:
    done = checkout.install(shelf.lines("a==1.0", "b==1.0", "d==1.0"))
    assert done.returncode != 0
    assert "b 1.0 requires c, which is not installed." in done.stdout
    # Nothing says that it is installed, so the next call tries again.
    assert checkout.stamps() == []
    assert checkout.install(shelf.lines(*GOOD)).returncode == 0
    assert checkout.held() == set(GOOD)


def test_what_an_older_list_left_does_not_stand_in_the_way(checkout: Checkout, shelf: Shelf) -> None:
    older = ("b==2.0", "c==1.0", "d==1.0", "e==1.0")
    assert checkout.install(shelf.lines(*older)).returncode == 0
    assert checkout.held() == set(older)
    done = checkout.install(shelf.lines(*GOOD))
    assert done.returncode == 0
    assert "e 1.0 has requirement b>=2, but you have b 1.0." in done.stdout
    assert checkout.environments() == 2
    assert checkout.held() == set(GOOD)


def test_list_that_cannot_be_had_leaves_everything_as_it_was(ready: Checkout, shelf: Shelf) -> None:
    """An upgrade without a network: the program of before can still be started."""
    done = ready.install(shelf.lines(*GOOD) + f"f==1.0 --hash=sha256:{'0' * 64}\n")
    assert done.returncode != 0
    assert "No matching distribution found for f==1.0" in done.stderr
    assert ready.held() == set(GOOD)
    assert ready.stamps() == []
    assert {path.name for path in ready.folder.iterdir()} == {".venv", "deploy", "made", "requirements.txt"}


def test_environment_of_a_python_that_went_away_is_made_again(ready: Checkout, shelf: Shelf) -> None:
    """After an upgrade of the system, .venv/bin/python may be another Python, which looks for packages elsewhere."""
    (packages,) = (ready.folder / ".venv" / "lib").glob("python3.*")
    packages.rename(packages.with_name("python3.1"))
    assert ready.install(shelf.lines(*GOOD)).returncode == 0
    assert ready.environments() == 2
    assert ready.held() == set(GOOD)
