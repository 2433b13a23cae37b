"""Helper processes that read addresses for a load, one a core."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from markers.filing import Document, GazetteerError
from markers.helpers import HelperLostError, answer, helpers
from markers.model import Premises


@contextmanager
def reading_helpers(count: int) -> Iterator[Callable[[list[Premises]], list[Document]]]:
    """A call that reads a chunk of homes in whichever of `count` helpers is free; it may be used from many threads.

    The call raises GazetteerError when a helper is gone. Helpers end with the block, or with their parent.
    """
    with helpers(count, __name__) as ask:

        def read(homes: list[Premises]) -> list[Document]:
            try:
                documents: list[Document] = ask(homes)
            except HelperLostError as lost:
                raise GazetteerError(
                    f"a helper process of the load is gone ({lost}): load the gazetteer again"
                ) from lost
            return documents

        yield read


def serve() -> None:
    """The helper's side: chunks of homes in, their documents out, until the pipe is closed."""
    gc.disable()  # nothing read here refers to itself
    answer(lambda homes: [Document.of(home) for home in homes])
