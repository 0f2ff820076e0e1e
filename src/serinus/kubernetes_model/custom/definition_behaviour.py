"""How CustomResourceDefinitions themselves are defaulted and checked."""

from __future__ import annotations

from serinus.kubernetes_model.custom import definitions
from serinus.kubernetes_model.failures import Problem
from serinus.kubernetes_model.validation import names
from serinus.kubernetes_model.writing.behaviour import BuiltIn, Manifest


class DefinitionBehaviour(BuiltIn):
    """The built-in kind that makes other kinds."""

    def default(self, item: Manifest) -> None:
        """Fill in what a definition leaves open."""
        definitions.default(item)

    def prepare_create(self, item: Manifest) -> None:
        """Establish the definition at once; there is nobody else to do it."""
        super().prepare_create(item)
        definitions.establish(item)

    def prepare_update(self, new: Manifest, old: Manifest, subresource: str | None) -> None:
        """Keep the status in step with the specification."""
        super().prepare_update(new, old, subresource)
        if subresource is None:
            definitions.follow(new, old)

    def problems(
        self, new: Manifest, old: Manifest | None, subresource: str | None
    ) -> list[Problem]:
        """Return what is wrong with a definition."""
        del subresource
        found = names.check_metadata(new["metadata"], namespaced=False, rule=names.subdomain)
        if old is not None:
            found += names.check_metadata_update(new["metadata"], old["metadata"])
        return found + definitions.check(new, old)
