"""What training says no with. Each is a `ModelError`, so the command line prints it and exits with 1.

TrainingError
├── OptionsError          an option is out of range or contradicts another
├── RowsError             there is nothing to train on, or a row names a language that the model does not know
├── StartError            the starting weights are of another architecture, or incomplete
├── CheckpointError       a checkpoint cannot be written, or cannot go on as asked: another shape, other rows
├── DivergedError         the gradients are no numbers any more
└── ExportError           a run cannot be made into a model
"""

from __future__ import annotations

from kunnafoni_models.backend import ModelError


class TrainingError(ModelError):
    """Training cannot start or go on; the message names the file or limit and the remedy."""


class OptionsError(TrainingError):
    """An option is out of range or contradicts another."""


class RowsError(TrainingError):
    """There is nothing to train on, or a row names a language that the model does not know."""


class StartError(TrainingError):
    """The starting weights are of another architecture, or incomplete."""


class CheckpointError(TrainingError):
    """A checkpoint cannot be written, or training cannot go on from it as asked."""


class DivergedError(TrainingError):
    """The gradients are no numbers any more."""


class ExportError(TrainingError):
    """A run cannot be made into a model."""
