"""Recipes: a run, described and validated. From a file, by a built-in name, or with single fields set on top.

```yaml
task:   {use: sql/generated, with: {train_size: 400}}
policy: {use: language, with: {model: smollm2-135m-instruct}}
reward: {use: sql/reasoning-sql}
train:  {steps: 24, group_size: 8, optimizer: {lr: 2.0e-5}}
```
"""

from guerdon.recipes.running import RunResult
from guerdon.recipes.schema import Recipe, RewardSpec, Use
from guerdon.recipes.sources import load_recipe

__all__ = ["Recipe", "RewardSpec", "RunResult", "Use", "load_recipe"]
