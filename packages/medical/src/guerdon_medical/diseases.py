"""Which disease a name or an id means: sources write the same disease in different ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from guerdon_medical.cases import Disease
from guerdon_medical.dx_scoring import normalised


class DiseaseNames:
    """Diseases by id first, then by name, then by synonym: to the letter whatever the case, else by `normalised`.

    Normalised names lose a lone letter "a" (Hepatitis A, Hepatitis), which is why they are asked last. Of several
    diseases that fit, the first given is meant.

    >>> names = DiseaseNames([Disease("X:1", "Hepatitis"), Disease("X:2", "Hepatitis A")], {"X:2": ["Yellow flu"]})
    >>> names.find("hepatitis a").id, names.find("The Hepatitis").id, names.find("yellow flus").id, names.find("?")
    ('X:2', 'X:1', 'X:2', None)
    """

    def __init__(self, diseases: Iterable[Disease], synonyms: Mapping[str, Iterable[str]] | None = None) -> None:
        """
        Args:
            diseases: of one vocabulary, or of several.
            synonyms: other names, by id.
        """
        self.diseases: Mapping[str, Disease] = {one.id: one for one in diseases}
        others = [
            (self.diseases[id], name) for id, names in (synonyms or {}).items() if id in self.diseases for name in names
        ]
        named = [(one, one.name) for one in self.diseases.values()] + others
        self._exact: dict[str, Disease] = {}
        self._normalised: dict[str, Disease] = {}
        for disease, name in named:
            self._exact.setdefault(name.casefold().strip(), disease)
            self._normalised.setdefault(normalised(name), disease)
        for index in (self._exact, self._normalised):
            index.pop("", None)

    def find(self, wanted: Disease | str) -> Disease | None:
        """The disease that is meant; None where there is none.

        Args:
            wanted: a disease of any vocabulary, an id, or a name.
        """
        id, name = (wanted.id, wanted.name) if isinstance(wanted, Disease) else (wanted.strip(), wanted)
        return (
            self.diseases.get(id) or self._exact.get(name.casefold().strip()) or self._normalised.get(normalised(name))
        )
