"""Rule language: parse, check and compile conditions; evaluate them in three-valued logic.

``bleed >= 3 and bleed_now == 1`` is parsed with Python's ``ast`` against a short list of allowed nodes (Python itself
never executes anything), checked against a ``Vocabulary`` and compiled to nested closures. A missing answer makes a
comparison *unknown* (``None``), and ``and``/``or``/``not`` follow Kleene (docs/domain.md 3.4.1). Two exceptions: a rise
with a missing side is false (docs/domain.md 3.4.9), and functions about the form itself are never unknown.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import NoReturn

from pro.core.rule_language import three_valued
from pro.core.rule_language.rule_errors import RuleError, suggest_known_word, syntax_error_sentence
from pro.core.rule_language.three_valued import ConditionTest, Facts, Truth, ValueGetter
from pro.core.rule_language.value_domain import FORM_FACTS, SCORE, TRUTH, Constant, ValueDomain
from pro.core.translatable_sentence import Sentence

__all__ = [
    "FORM_FACTS",
    "SCORE",
    "TRUTH",
    "Condition",
    "ValueDomain",
    "Facts",
    "RuleError",
    "Truth",
    "Vocabulary",
    "parse",
]

LONGEST_SOURCE = 2000
LONGEST_WORD = 40
_ORDER: dict[type[ast.cmpop], Callable[..., bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}
_EQUAL: dict[type[ast.cmpop], Callable[..., bool]] = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
_FUNCTIONS = ("any", "count", "fired", "idle", "missing", "recent", "rise", "rise_from_baseline", "unknown")
_FORM_FUNCTIONS = ("fired", "idle", "unknown")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a condition may use.

    ``recents``: items of any instrument that ``recent()`` accepts. ``rules``: ids that ``fired`` and ``unknown`` may
    match; with ``form_rules`` false these two, ``idle`` and ``submitted`` are refused (only the M rules are about the
    form itself).
    """

    items: Mapping[str, ValueDomain] = field(default_factory=dict)
    facts: Mapping[str, ValueDomain] = field(default_factory=dict)
    scores: frozenset[str] = frozenset()
    named: Mapping[str, Condition] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recents: frozenset[str] = frozenset()
    rules: tuple[str, ...] = ()
    form_rules: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A checked condition; equal and hashable by ``source``.

    ``names``: all items, facts and scores (``score.PF``) that it depends on, through named sub-expressions, functions
    and groups. ``outcomes``: ids of rules whose outcome it uses, so it must be evaluated after them.
    """

    source: str
    names: frozenset[str] = field(compare=False)
    outcomes: frozenset[str] = field(compare=False)
    _test: ConditionTest = field(compare=False, repr=False)

    @property
    def about_rules(self) -> bool:
        """True if the condition uses the outcomes of other rules."""
        return bool(self.outcomes)

    def evaluate(self, facts: Facts) -> Truth:
        """Return True, False, or None if a missing value leaves the result unknown."""
        return self._test(facts)


def parse(source: str, vocabulary: Vocabulary) -> Condition:
    """Check and compile ``source``; raise RuleError with the column (from 1) and a sentence."""
    if len(source) > LONGEST_SOURCE:
        raise RuleError(1, Sentence("a condition may have at most %(most)s characters", most=LONGEST_SOURCE))
    compiler = _Compiler(vocabulary)
    test = compiler.compile(source, 0)
    return Condition(source, frozenset(compiler.names), frozenset(compiler.outcomes), test)


@dataclass(frozen=True, slots=True)
class _Term:
    """One side of a comparison: value getter, value domain, outcome if the value is missing."""

    shown: str
    get: ValueGetter
    domain: ValueDomain
    when_missing: Truth = None


class _Compiler:
    """Compiler of one expression; ``member``: the item that ``x`` means in ``any``, ``count``."""

    def __init__(self, vocabulary: Vocabulary, member: str | None = None) -> None:
        self.vocabulary = vocabulary
        self.member = member
        self.names: set[str] = set()
        self.outcomes: set[str] = set()
        self.line = ""
        self.offset = 0

    def compile(self, source: str, offset: int) -> ConditionTest:
        """Compile ``source``, which begins ``offset`` characters into the whole condition."""
        text = source.replace("\n", " ").replace("\r", " ")
        self.line = text.strip()
        self.offset = offset + len(text) - len(text.lstrip())
        if not self.line:
            raise RuleError(self.offset + 1, Sentence("the condition is empty"))
        try:
            tree = ast.parse(self.line, mode="eval")
            return self.test(tree.body)
        except SyntaxError as error:
            column = self.offset + max(error.offset or 1, 1)
            raise RuleError(column, syntax_error_sentence(error.msg)) from None
        except (RecursionError, MemoryError):
            raise RuleError(self.offset + 1, Sentence("the condition has too many levels of nesting")) from None
        except RuleError:
            raise
        except ValueError as error:
            raise RuleError(self.offset + 1, syntax_error_sentence(str(error))) from None

    def fail(self, node: ast.AST, sentence: Sentence) -> NoReturn:
        """Raise RuleError with ``sentence`` at the column of ``node``."""
        raise RuleError(self.column(node), sentence)

    def column(self, node: ast.AST) -> int:
        """Return the column of ``node`` in the whole condition, from 1."""
        # ast counts UTF-8 bytes; an error message counts characters.
        before = self.line.encode()[: getattr(node, "col_offset", 0)]
        return self.offset + len(before.decode(errors="ignore")) + 1

    def test(self, node: ast.expr) -> ConditionTest:
        """Compile an expression that is true, false or unknown."""
        if isinstance(node, ast.BoolOp):
            parts = tuple(self.test(part) for part in node.values)
            return three_valued.all_of(parts) if isinstance(node.op, ast.And) else three_valued.any_of(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return three_valued.not_of(self.test(node.operand))
        if isinstance(node, ast.Compare):
            return self.comparison(node)
        if isinstance(node, ast.Call):
            return self.truth_function(node)
        if isinstance(node, ast.Name):
            return self.truth_name(node)
        self.fail(node, Sentence("only comparisons, names, functions, and/or/not and brackets are allowed here"))

    def truth_name(self, node: ast.Name) -> ConditionTest:
        """Compile a name by itself: ``submitted``, a sub-expression or a true/false fact."""
        name = node.id
        if name == "submitted":
            if not self.vocabulary.form_rules:
                self.fail(node, Sentence("“submitted” is allowed only in M rules"))
            return lambda facts: facts.submitted
        named = self.vocabulary.named.get(name)
        if named is not None:
            self.names |= named.names
            self.outcomes |= named.outcomes
            return named._test
        if self.domain(node, name).kind != "truth":
            self.fail(
                node,
                Sentence("“%(name)s” is not true or false; compare it, for example “%(name)s >= 1”", name=name),
            )
        self.names.add(name)
        return three_valued.truth_of(name)

    def domain(self, node: ast.AST, name: str) -> ValueDomain:
        """Return the value domain of an item or fact."""
        domain = self.vocabulary.items.get(name) or self.vocabulary.facts.get(name)
        if domain is None:
            near = suggest_known_word(name, [*self.vocabulary.items, *self.vocabulary.facts, *self.vocabulary.named])
            self.fail(
                node, Sentence("“%(name)s” is not a known item, fact or sub-expression%(near)s", name=name, near=near)
            )
        return domain

    def name_in(self, node: ast.expr) -> str:
        """Return the item or fact that a name (or ``x``) means."""
        if not isinstance(node, ast.Name):
            self.fail(node, Sentence("a name is expected here"))
        return self.member if node.id == "x" and self.member is not None else node.id

    def comparison(self, node: ast.Compare) -> ConditionTest:
        """Compile a comparison with one sign."""
        if len(node.ops) != 1:
            self.fail(
                node, Sentence("chained comparisons such as 1 <= a <= 3 are not allowed; write “a >= 1 and a <= 3”")
            )
        sign, right = node.ops[0], node.comparators[0]
        if isinstance(node.left, ast.Call) and isinstance(node.left.func, ast.Name) and node.left.func.id == "count":
            return self.count_comparison(node.left, sign, right)
        term = self.term(node.left)
        if isinstance(sign, ast.In | ast.NotIn):
            return self.membership(term, sign, right)
        constant = self.constant(right, term)
        if type(sign) in _ORDER:
            if term.domain.kind == "words" or not term.domain.ordered:
                self.fail(node, Sentence("%(what)s is not ordinal; use ==, != or in", what=term.shown))
            return three_valued.compare_value(term.get, _ORDER[type(sign)], constant, term.when_missing)
        if type(sign) not in _EQUAL:
            self.fail(node, Sentence("only == != > >= < <= and in can be used to compare"))
        return three_valued.compare_value(term.get, _EQUAL[type(sign)], constant, term.when_missing)

    def membership(self, term: _Term, sign: ast.cmpop, right: ast.expr) -> ConditionTest:
        """Compile ``in`` and ``not in`` with a list of constants."""
        if not isinstance(right, ast.Tuple | ast.List | ast.Set) or not right.elts:
            self.fail(right, Sentence("a list of values is expected after “in”, for example “in (2, 3)”"))
        chosen = frozenset(self.constant(element, term) for element in right.elts)
        return three_valued.is_one_of(term.get, chosen, isinstance(sign, ast.In), term.when_missing)

    def constant(self, node: ast.expr, term: _Term) -> Constant:
        """Return the constant at ``node``, checked against the domain of ``term``."""
        value = self.literal(node)
        refused = term.domain.refuses(term.shown, value)
        if refused is not None:
            self.fail(node, refused)
        return value

    def literal(self, node: ast.expr) -> Constant:
        """Return the whole number, decimal or short word at ``node``."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self.literal(node.operand)
            if isinstance(inner, str):
                self.fail(node, Sentence("a minus sign is allowed only before a number"))
            return -inner
        if isinstance(node, ast.Constant):
            value = node.value
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            if isinstance(value, float):
                return Decimal(ast.get_source_segment(self.line, node) or str(value))
            if isinstance(value, str) and len(value) <= LONGEST_WORD:
                return value
        self.fail(node, Sentence("a whole number, a decimal or a short quoted word is expected here"))

    def term(self, node: ast.expr) -> _Term:
        """Compile the left side of a comparison: an item, a fact, a score or a rise."""
        if isinstance(node, ast.Name):
            name = self.name_in(node)
            domain = self.domain(node, name)
            self.names.add(name)
            return _Term(name, lambda facts: facts.values.get(name), domain)
        if isinstance(node, ast.Attribute):
            scale = self.score_in(node)
            return _Term(f"score.{scale}", lambda facts: facts.scores.get(scale), SCORE)
        if isinstance(node, ast.Call):
            function, arguments = self.call(node)
            if function in ("rise", "rise_from_baseline"):
                return self.rise(node, function, arguments)
        self.fail(node, Sentence("an item, a fact, a score, rise() or count() is expected before the comparison sign"))

    def score_in(self, node: ast.Attribute) -> str:
        """Return the scale in ``score.<scale>`` and note its name."""
        if not isinstance(node.value, ast.Name) or node.value.id != "score":
            self.fail(node, Sentence("a dot is allowed only in scores, for example score.PF"))
        if node.attr not in self.vocabulary.scores:
            near = suggest_known_word(node.attr, self.vocabulary.scores)
            self.fail(node, Sentence("“score.%(name)s” is not a score here%(near)s", name=node.attr, near=near))
        self.names.add(f"score.{node.attr}")
        return node.attr

    def rise(self, node: ast.Call, function: str, arguments: list[ast.expr]) -> _Term:
        """Compile a rise: today's value minus the earlier one.

        With either side missing, every comparison is false (docs/domain.md 3.4.9).
        """
        self.expect(node, function, arguments, 1)
        argument = arguments[0]
        if isinstance(argument, ast.Attribute):
            if function == "rise":
                self.fail(node, Sentence("a score can only be compared with the baseline; use rise_from_baseline()"))
            scale = self.score_in(argument)
            span = ValueDomain("number", minimum=Decimal(-100), maximum=Decimal(100))
            return _Term(
                Sentence("the rise of %(name)s", name=f"score.{scale}"), three_valued.score_rise(scale), span, False
            )
        name = self.name_in(argument)
        domain = self.domain(argument, name)
        if domain.kind not in ("codes", "number") or not domain.ordered:
            self.fail(argument, Sentence("“%(name)s” is not ordinal, so it cannot rise", name=name))
        self.names.add(name)
        limit = Decimal(max(domain.codes) - min(domain.codes)) if domain.codes else None
        span = ValueDomain("number", minimum=None if limit is None else -limit, maximum=limit)
        return _Term(
            Sentence("the rise of %(name)s", name=name), three_valued.item_rise(name, function == "rise"), span, False
        )

    def call(self, node: ast.Call) -> tuple[str, list[ast.expr]]:
        """Return the name and the arguments of a call of a known function."""
        if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS:
            shown = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
            near = suggest_known_word(shown, _FUNCTIONS)
            self.fail(
                node, Sentence("“%(name)s” is not a function of the rule language%(near)s", name=shown, near=near)
            )
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            self.fail(node, Sentence("%(function)s() takes positional arguments only", function=node.func.id))
        return node.func.id, node.args

    def expect(self, node: ast.Call, function: str, arguments: list[ast.expr], number: int) -> None:
        """Refuse a call that does not have ``number`` arguments."""
        if number == 1 != len(arguments):
            self.fail(node, Sentence("%(function)s() takes 1 argument", function=function))
        if len(arguments) != number:
            self.fail(node, Sentence("%(function)s() takes %(number)s arguments", function=function, number=number))

    def truth_function(self, node: ast.Call) -> ConditionTest:
        """Compile a function that is true, false or unknown."""
        function, arguments = self.call(node)
        if function in _FORM_FUNCTIONS and not self.vocabulary.form_rules:
            self.fail(node, Sentence("%(function)s() is allowed only in M rules", function=function))
        if function == "any":
            return three_valued.any_of(self.members(node, arguments))
        if function == "missing":
            self.expect(node, function, arguments, 1)
            name = self.name_in(arguments[0])
            self.domain(arguments[0], name)
            self.names.add(name)
            return three_valued.is_missing(name)
        if function == "recent":
            self.expect(node, function, arguments, 2)
            name = self.name_in(arguments[0])
            if name not in self.vocabulary.recents:
                near = suggest_known_word(name, self.vocabulary.recents)
                wrong = Sentence("“%(name)s” is not an item of this plan%(near)s", name=name, near=near)
                self.fail(arguments[0], wrong)
            self.names.add(name)
            return three_valued.is_recent(name, self.whole(arguments[1]))
        if function == "idle":
            self.expect(node, function, arguments, 1)
            minutes = self.whole(arguments[0])
            return lambda facts: facts.idle >= minutes
        if function in ("fired", "unknown"):
            self.expect(node, function, arguments, 1)
            rules = self.rule_ids(arguments[0])
            self.outcomes.update(rules)
            return three_valued.rule_outcome(rules, True if function == "fired" else None)
        self.fail(
            node,
            Sentence(
                "%(function)s() returns a number; compare it, for example “%(function)s(…) >= 1”", function=function
            ),
        )

    def whole(self, node: ast.expr) -> int:
        """Return the whole number, 0 or more, at ``node``."""
        value = self.literal(node)
        if not isinstance(value, int) or value < 0:
            self.fail(node, Sentence("a whole number is expected here"))
        return value

    def rule_ids(self, node: ast.expr) -> tuple[str, ...]:
        """Return the ids of the rules that match the pattern at ``node``."""
        pattern = self.literal(node)
        matching = tuple(rule for rule in self.vocabulary.rules if fnmatchcase(rule, str(pattern)))
        if not isinstance(pattern, str) or not matching:
            self.fail(node, Sentence("no rule matches %(pattern)s", pattern=repr(pattern)))
        return matching

    def members(self, node: ast.Call, arguments: list[ast.expr]) -> tuple[ConditionTest, ...]:
        """Compile one test for each item of a group, with ``x`` standing for that item."""
        self.expect(node, node.func.id if isinstance(node.func, ast.Name) else "", arguments, 2)
        group, inner = arguments
        if self.member is not None:
            self.fail(node, Sentence("any() and count() cannot be nested"))
        if not isinstance(group, ast.Name) or group.id not in self.vocabulary.groups:
            known = tuple(sorted(self.vocabulary.groups)) or Sentence("there is none")
            self.fail(group, Sentence("a group is expected here: %(listed)s", listed=known))
        if not isinstance(inner, ast.Constant) or not isinstance(inner.value, str):
            self.fail(inner, Sentence("a quoted condition about x is expected here, for example 'x >= 2'"))
        tests = []
        for item in self.vocabulary.groups[group.id]:
            compiler = _Compiler(self.vocabulary, item)
            tests.append(compiler.compile(inner.value, self.column(inner)))
            self.names |= compiler.names
            self.outcomes |= compiler.outcomes
        return tuple(tests)

    def count_comparison(self, call: ast.Call, sign: ast.cmpop, right: ast.expr) -> ConditionTest:
        """Compile a comparison of ``count()``.

        Unknown members may be true or false, so a count is a range and its comparison may be unknown.
        """
        _, arguments = self.call(call)
        tests = self.members(call, arguments)
        compare = _ORDER.get(type(sign)) or _EQUAL.get(type(sign))
        if compare is None:
            self.fail(call, Sentence("count() can be compared only with == != > >= < <="))
        wanted = self.whole(right)

        return three_valued.compare_count(tests, compare, wanted)
