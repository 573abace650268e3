"""DataModules: they only feed."""

from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.critters import Critters
from mkbench.datamodules.image_folder import ImageFolder

__all__ = ["ClassGroup", "ClassGroupDataModule", "Critters", "ImageFolder"]
