"""Adapters: guerdon's rewards and tasks in other trainers and on clusters. Leaves: nothing imports them."""
