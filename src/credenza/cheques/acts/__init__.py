"""The acts of the case. A new one is one file and a line in `SCENES`."""

from typing import Final

from credenza.cheques.acts.disk import parameters_edited_on_disk
from credenza.cheques.acts.honest import honest_day
from credenza.cheques.acts.insider import training_images_altered
from credenza.cheques.acts.interface import Act, Bank, Scene, Size
from credenza.cheques.acts.memory import parameters_changed_in_memory

SCENES: Final[tuple[Scene, ...]] = (
    honest_day,
    parameters_edited_on_disk,
    training_images_altered,
    parameters_changed_in_memory,
)

__all__ = ["SCENES", "Act", "Bank", "Scene", "Size"]
