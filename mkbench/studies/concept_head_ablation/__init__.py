"""Ablation of concept heads: does a class suffer without the head that carries its mutual concepts?"""
