"""Do expensive setup once in each test process, without effect on what tests check.

Covered: password hashing, reading the data files and translations, compiling templates, SQL and routes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2 import StrictUndefined, Undefined
from jinja2.bccache import Bucket, BytecodeCache
from jinja2.utils import missing
from sqlalchemy import Dialect, Engine, event
from werkzeug.routing import Rule

import app
from pro import db, i18n
from pro.catalogue import Catalogue
from pro.config import Config
from pro.features.accounts import passwords
from pro.i18n import Catalogs


class KnownAttributes(Undefined):
    """Refuse the use of an attribute that a row or a dataclass does not have; in a page it would be nothing, or false.

    A template may ask whether it ``is defined``. A name that the page was not given and a key that a mapping lacks stay
    empty, because templates ask for those.
    """

    def __new__(cls, hint: str | None = None, obj: Any = missing, *given: Any, **more: Any) -> Any:
        """Take what Jinja passes: the object, and the name of the attribute that it lacks."""
        if dataclasses.is_dataclass(obj) or hasattr(type(obj), "__mapper__") or hasattr(type(obj), "_fields"):
            return StrictUndefined(hint, obj, *given, **more)
        return super().__new__(cls)


class CompiledTemplates(BytecodeCache):
    """Compiled templates, by path and content, shared by the applications of this process."""

    def __init__(self) -> None:
        """Start empty."""
        self.known: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Load the compiled template if there is one."""
        bucket.code = self.known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Store the compiled template."""
        assert bucket.code is not None
        self.known[bucket.key, bucket.checksum] = bucket.code


class SharedStatements:
    """Engines that share their dialect and compiled SQL, but not their connections."""

    def __init__(self, make: Callable[[str], Engine]) -> None:
        """Take ``make``, which creates an engine."""
        self.make = make
        self.dialects: dict[str, Dialect] = {}
        self.compiled: dict[Any, Any] = {}

    def make_engine(self, url: str) -> Engine:
        """Create an engine like ``db.make_engine``, with the first connected dialect."""
        engine = self.make(url)
        engine.update_execution_options(compiled_cache=self.compiled)
        name = engine.dialect.name
        if name in self.dialects:
            engine.dialect = self.dialects[name]
        else:
            event.listen(engine, "connect", lambda *_: self.dialects.setdefault(name, engine.dialect))
        return engine


class CompiledRoutes:
    """Compiled URL builders, by rule."""

    def __init__(self, compile_builder: Callable[[Rule, bool], Any]) -> None:
        """Take ``compile_builder``, Werkzeug's slow function that generates code for each rule."""
        self.compile_builder = compile_builder
        self.known: dict[tuple[object, ...], Any] = {}

    def of(self, rule: Rule, append_unknown: bool = True) -> Any:
        """Return the URL builder of ``rule``, which gets the rule with every call."""
        key = (rule.rule, rule.subdomain, rule.host, rule.merge_slashes, str(rule.defaults), append_unknown)
        if key not in self.known:
            self.known[key] = self.compile_builder(rule, append_unknown)
        return self.known[key]


@contextmanager
def speed_up(catalogue: Catalogue, catalogs: Catalogs, root: Path) -> Iterator[None]:
    """Apply every speedup; ``catalogue`` and ``catalogs`` are those of ``root``."""
    read_data, read_words = app.read_data, i18n.read_catalogs
    routes = CompiledRoutes(Rule._compile_builder)

    def data_once(config: Config) -> Catalogue:
        own = config.plans_dir or config.days_file or config.gateway_file
        return read_data(config) if own else catalogue

    def words_once(folder: Path) -> Catalogs:
        return catalogs if folder == root / "translations" else read_words(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        patch.setattr(app, "read_data", data_once)
        patch.setattr(i18n, "read_catalogs", words_once)
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": CompiledTemplates(), "undefined": KnownAttributes})
        patch.setattr(db, "make_engine", SharedStatements(db.make_engine).make_engine)
        patch.setattr(Rule, "_compile_builder", lambda rule, append_unknown=True: routes.of(rule, append_unknown))
        yield
