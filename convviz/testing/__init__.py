"""The conformance kit: what every explainer keeps, for the tests of whoever writes one.

```python
from convviz.testing import check_explainer

def test_my_explainer():
    check_explainer(MyExplainer(samples=10))
```

`convviz plugins check NAME` runs the same checks.
"""

from __future__ import annotations

from .bench import tiny_model, tiny_photos
from .kit import Check, ConformanceError, check_explainer, conformance

__all__ = [
    "Check",
    "ConformanceError",
    "check_explainer",
    "conformance",
    "tiny_model",
    "tiny_photos",
]
