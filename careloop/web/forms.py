"""How forms look: {{ form }} and {{ form.name.as_field_group }} give label, help, errors and aria."""

from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.forms.renderers import TemplatesSetting

_CLASSES: list[tuple[type[forms.Widget], str]] = [
    (forms.CheckboxSelectMultiple, "form-check-input"),
    (forms.RadioSelect, "form-check-input"),
    (forms.CheckboxInput, "form-check-input"),
    (forms.Select, "form-select"),
    (forms.Textarea, "form-control"),
    (forms.widgets.Input, "form-control"),
]


class StyledBoundField(BoundField):
    """Gives each input the class of its kind, unless the form chose one, and says how to lay it out."""

    def build_widget_attrs(self, attrs: dict[str, Any], widget: forms.Widget | None = None) -> dict[str, Any]:
        """Add our class to the attributes Django builds (required, disabled, aria-…)."""
        attrs = super().build_widget_attrs(attrs, widget)
        widget = widget or self.field.widget
        if "class" not in widget.attrs and not widget.is_hidden:
            attrs.setdefault("class", css_class(widget))
        return attrs

    @property
    def is_one_box(self) -> bool:
        """One tick box, whose label stands to its right."""
        return isinstance(self.field.widget, forms.CheckboxInput)

    @property
    def is_choices(self) -> bool:
        """Several tick boxes or radio buttons, which need a fieldset."""
        return isinstance(self.field.widget, forms.RadioSelect)  # CheckboxSelectMultiple is one of them


def css_class(widget: forms.Widget) -> str:
    """The class for a widget, or nothing for those that consist of several."""
    if isinstance(widget, forms.MultiWidget):
        return ""
    return next((css for kind, css in _CLASSES if isinstance(widget, kind)), "")


class FormRenderer(TemplatesSetting):
    """settings.FORM_RENDERER: our templates around Django's widgets."""

    form_template_name = "components/form.html"
    field_template_name = "components/field.html"
    bound_field_class = StyledBoundField
