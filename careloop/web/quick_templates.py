"""Templates, quicker: what cannot differ from page to page is worked out once, and common values are found by the short way.

A page of a patient draws 300 parts. Django looks up every variable as if it could be anything (50 lines of it), asks anew for a
translated sentence each time, and resolves an icon's name fifty times. Here a template that was just read is gone through once:

* `{% icon "x" %}` and `{% static "x" %}` become text;
* `{% translate "sentence" %}` is asked once for each language;
* `{% include "x" %}` keeps the template it found;
* `{{ one.name }}` is looked up the short way when it is a plain value in a dict or on an object, and by Django otherwise.

Whatever is not one of these, and every value that is not what it seemed, is left to Django: pages are the same to the letter.
"""

from html import escape
from threading import RLock
from typing import Any

from django.conf import settings
from django.template import Template
from django.template.base import (
    FilterExpression,
    Node,
    NodeList,
    TextNode,
    Variable,
    VariableDoesNotExist,
    VariableNode,
    render_value_in_context,
)
from django.template.context import Context
from django.template.library import SimpleNode
from django.template.loader_tags import IncludeNode, construct_relative_path
from django.template.loaders import cached
from django.template.smartif import TokenBase
from django.templatetags.i18n import TranslateNode
from django.templatetags.static import StaticNode
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from careloop.web.templatetags.careloop import icon


class Loader(cached.Loader):
    """Django's loader that reads each template once, and makes it quick before anybody draws with it."""

    _lock = RLock()

    def get_template(self, template_name: str, skip: Any = None) -> Template:
        found: Any = self.get_template_cache.get(self.cache_key(template_name, skip))
        if getattr(found, "is_quick", False):
            return found  # type: ignore[no-any-return]
        with self._lock:
            template = super().get_template(template_name, skip)
            if not hasattr(template, "is_quick"):
                quicken(template.nodelist)
                template.is_quick = True  # type: ignore[attr-defined]
            return template


def quicken(found: object, seen: set[int] | None = None) -> None:
    """Go through a parsed template, in place."""
    seen = set() if seen is None else seen
    if id(found) in seen:
        return
    seen.add(id(found))
    if isinstance(found, NodeList):
        for node in found:
            quicken(node, seen)
        found[:] = _joined([_constant(node) for node in found])
    elif isinstance(found, Node):
        _quicken_node(found)
        for part in vars(found).values():
            quicken(part, seen)
    elif isinstance(found, FilterExpression):
        _quicken_expression(found)
    elif isinstance(found, TokenBase):  # the condition of an `if`
        for part in (found.first, found.second, found.value):
            quicken(part, seen)
    elif isinstance(found, dict):
        for part in list(found.values()):
            quicken(part, seen)
    elif isinstance(found, list | tuple):
        for part in found:
            quicken(part, seen)


# -- parts that are always the same ------------------------------------------------------------------------------


def _is_constant(expression: object) -> bool:
    return isinstance(expression, FilterExpression) and not expression.is_var and not expression.filters


def _constant(node: Node) -> Node:
    """The node as text, if it writes the same on every page."""
    if type(node) is SimpleNode and node.func is icon and node.target_var is None:
        given = [*node.args, *node.kwargs.values()]
        if all(_is_constant(one) for one in given):
            return TextNode(icon(*(one.var for one in node.args), **{k: v.var for k, v in node.kwargs.items()}))
    if type(node) is StaticNode and node.varname is None and _is_constant(node.path):
        url = node.handle_simple(node.path.var)
        if escape(url) == url:
            return TextNode(url)
    return node


def _joined(nodes: list[Node]) -> list[Node]:
    """Text beside text as one."""
    joined: list[Node] = []
    for node in nodes:
        if type(node) is TextNode and joined and type(joined[-1]) is TextNode:
            joined[-1] = TextNode(joined[-1].s + node.s)
        else:
            joined.append(node)
    return joined


# -- parts that are quicker --------------------------------------------------------------------------------------


def _quicken_node(node: Node) -> None:
    if type(node) is VariableNode:
        node.__class__ = QuickVariableNode
    elif type(node) is TranslateNode and _says_one_thing(node):
        node.__class__ = QuickTranslateNode
        node.said = {}  # type: ignore[attr-defined]
    elif type(node) is IncludeNode and _is_constant(node.template) and isinstance(node.template.var, str):
        node.__class__ = QuickIncludeNode


def _says_one_thing(node: TranslateNode) -> bool:
    sentence: Any = node.filter_expression
    has_context = node.message_context is not None and not _is_constant(node.message_context)
    return sentence.var.literal is not None and not sentence.filters and not has_context


def _quicken_expression(expression: Any) -> None:
    if type(expression) is FilterExpression and isinstance(expression.var, Variable):
        _quicken_variable(expression.var)
        if not expression.filters:
            expression.__class__ = QuickExpression
    for _function, given in expression.filters:
        for is_variable, one in given:
            if is_variable:
                _quicken_variable(one)


def _quicken_variable(variable: Variable) -> None:
    if type(variable) is Variable and variable.lookups is not None and not variable.translate:
        variable.__class__ = QuickVariable


class QuickVariable(Variable):
    """Dicts, and attributes of objects that are no containers; what may be called is left to Django."""

    __slots__ = ()

    def resolve(self, context: Any) -> Any:
        names: tuple[str, ...] = self.lookups  # type: ignore[assignment]
        name = names[0]
        try:
            layers = context.dicts
        except AttributeError:
            return super().resolve(context)
        for layer in reversed(layers):
            if name in layer:
                found = layer[name]
                break
        else:
            return self._missing(context, name)
        for name in names[1:]:
            kind = type(found)
            if kind is dict:
                if name not in found:
                    return super().resolve(context) if hasattr(dict, name) else self._missing(context, name)
                found = found[name]
            elif callable(found) or hasattr(kind, "__getitem__"):
                return super().resolve(context)
            else:
                try:
                    found = getattr(found, name)
                except (AttributeError, TypeError):
                    return super().resolve(context)
        return super().resolve(context) if callable(found) else found

    def _missing(self, context: Any, name: str) -> Any:
        if not name.isidentifier():  # a number may count the items of a list
            return super().resolve(context)
        raise VariableDoesNotExist("Failed lookup for key [%s] in %r", (name, context))


class QuickExpression(FilterExpression):
    """A variable without filters."""

    __slots__ = ()

    def resolve(self, context: Context, ignore_failures: bool = False) -> Any:
        try:
            return self.var.resolve(context)  # type: ignore[union-attr]
        except VariableDoesNotExist:
            return None if ignore_failures else super().resolve(context)


class QuickVariableNode(VariableNode):
    """Text is escaped and written, whole numbers are written; dates and whatever else there is are Django's."""

    def render(self, context: Context) -> Any:
        try:
            output = self.filter_expression.resolve(context)
        except UnicodeDecodeError:
            return SafeString()
        kind = type(output)
        if kind is SafeString:
            return output
        if kind is int and not settings.USE_THOUSAND_SEPARATOR:
            return str(output)
        if isinstance(output, Promise):
            output = str(output)
            kind = type(output)
        if kind is str:
            return escape(output) if context.autoescape else output
        return render_value_in_context(output, context)


class QuickTranslateNode(TranslateNode):
    """A sentence without variables, kept for each language."""

    said: dict[Any, str]

    def render(self, context: Context) -> Any:
        language = get_language(), context.autoescape
        said = self.said.get(language)
        if said is None:
            name, self.asvar = self.asvar, None
            try:
                said = self.said[language] = super().render(context)
            finally:
                self.asvar = name
        if self.asvar:
            context[self.asvar] = said
            return ""
        return said


class QuickIncludeNode(IncludeNode):
    """A template that is named in the template: found once."""

    _found: Template | None = None

    def render(self, context: Context) -> Any:
        template = self._found
        if template is None:
            where: Any = self.origin  # type: ignore[attr-defined]
            name = construct_relative_path(where.template_name, str(self.template.var))
            template = self._found = context.template.engine.select_template([name])  # type: ignore[union-attr]
        values = {name: value.resolve(context) for name, value in self.extra_context.items()}
        if self.isolated_context:
            return template.render(context.new(values))
        with context.push(**values):
            return template.render(context)
