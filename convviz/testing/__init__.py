"""The conformance kit: what every explainer and metric keeps, for the tests of its author.

```python
from convviz.testing import check_explainer

def test_my_explainer():
    check_explainer(MyExplainer(samples=10))
```

`convviz plugins check NAME` runs the same checks.
"""

from __future__ import annotations

from .bench import tiny_model, tiny_photos
from .kit import Check, ConformanceError, check_explainer, check_metric, conformance

__all__ = [
    "Check",
    "ConformanceError",
    "check_explainer",
    "check_metric",
    "conformance",
    "tiny_model",
    "tiny_photos",
]
