"""Notebooks to be played: cells as people write them, with seeds, so that each run is the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.material import CORPUS

TEACHING = CORPUS / "notebooks" / "norvig+pytudes" / "ipynb__ProbabilityParadox.ipynb"


@dataclass(frozen=True, slots=True)
class Workload:
    """A notebook: its cells, and how many of them do nothing but make the data."""

    name: str
    cells: tuple[str, ...]
    makes: int
    edits: bool
    """Whether its cells mostly change a little of what is there."""


def workloads() -> list[Workload]:
    """All of them; the teaching notebook where the corpus is there."""
    found = [ARRAY, FRAME, DICTS, TINY, TABULAR, ARRAYS, OBJECTS, MUTATIONS, LEARNING]
    teaching = teaching_notebook(TEACHING)
    return found if teaching is None else [*found, teaching]


def teaching_notebook(path: Path) -> Workload | None:
    """A real notebook, all its code cells in order."""
    if not path.exists():
        return None
    cells = [
        "".join(cell["source"])
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code" and "".join(cell["source"]).strip()
    ]
    name = f"a teaching notebook of {len(cells)} cells"
    return Workload(name, ("import random; random.seed(0)", *cells), 0, False)


ARRAY = Workload(
    "array of 500 MB",
    (
        "import numpy as np",
        "big = np.random.default_rng(0).random(62_500_000)",
        "big[12_345_678] = 1.0",
        "big.mean()",
        "big[1_000] += 1",
        "big.max()",
    ),
    2,
    True,
)
FRAME = Workload(
    "DataFrame of 2e6 x 10",
    (
        "import numpy as np, pandas as pd",
        "df = pd.DataFrame({f'c{i}': np.random.default_rng(i).random(2_000_000)"
        " for i in range(10)})",
        "df['total'] = df.c0 + df.c1",
        "df.loc[1_234_567, 'c3'] = 0.5",
        "df.c3.mean()",
        "df.loc[77, 'c4'] = -1.0",
    ),
    3,
    True,
)
DICTS = Workload(
    "1e6 small dicts",
    (
        "rows = [{'id': i, 'name': f'n{i}', 'value': i * 0.5} for i in range(1_000_000)]",
        "rows.append({'id': -1, 'name': 'last', 'value': 0.0})",
        "rows[500_000]['value'] = 7.0",
        "len(rows)",
    ),
    1,
    True,
)
TINY = Workload("1 000 tiny cells", tuple(f"x{i} = {i}" for i in range(1000)), 0, True)
TABULAR = Workload(
    "tabular, 18 cells",
    (
        "import numpy as np, pandas as pd\nrng = np.random.default_rng(1)",
        "n = 200_000\nsales = pd.DataFrame({'day': np.arange(n) // 500, 'shop': rng.integers(0, 50,"
        " n), 'item': rng.integers(0, 3_000, n), 'price': rng.gamma(2.0, 5.0, n).round(2)})",
        "shops = pd.DataFrame({'shop': range(50), 'city': [f'city {i % 12}' for i in range(50)]})",
        "sales.head()",
        "sales.describe()",
        "sales['count'] = rng.integers(1, 9, n)",
        "sales['revenue'] = sales.price * sales['count']",
        "sales.loc[sales.price > 60, 'price'] = 60.0",
        "joined = sales.merge(shops, on='shop')",
        "by_city = joined.groupby('city').revenue.sum()\nby_city",
        "by_day = sales.groupby('day')[['revenue', 'count']].sum()",
        "by_day['smooth'] = by_day.revenue.rolling(7).mean()",
        "best = joined.nlargest(100, 'revenue')",
        "sales.loc[17, 'item'] = 0",
        "del joined",
        "def share(city):\n    return by_city[city] / by_city.sum()",
        "shares = {city: share(city) for city in by_city.index}",
        "summary = sales.revenue.agg(['mean', 'std', 'max'])\nsummary",
    ),
    0,
    False,
)
ARRAYS = Workload(
    "arrays, 18 cells",
    (
        "import numpy as np\nrng = np.random.default_rng(2)",
        "image = rng.random((2_000, 2_000))",
        "row = image[10]\nwindow = image[100:200, 100:200]",
        "window[:] = 0",
        "mask = image > 0.5",
        "image.mean(), mask.sum()",
        "kernel = np.outer(np.hanning(9), np.hanning(9))",
        "row += 1",
        "image[500, 500] = 3.0",
        "columns = image.mean(axis=0)",
        "signal = np.sin(np.linspace(0, 400, 1_000_000))",
        "spectrum = np.abs(np.fft.rfft(signal))",
        "spectrum.argmax()",
        "signal[::1_000] = 0",
        "stack = [np.full((300, 300), i, float) for i in range(10)]",
        "stack[3][0, 0] = -1",
        "image[mask] *= 0.5",
        "float(image.sum()), float(signal.std())",
    ),
    0,
    False,
)
OBJECTS = Workload(
    "objects, 18 cells",
    (
        "from dataclasses import dataclass, field\nimport random\nrandom.seed(3)",
        "@dataclass\nclass Person:\n    name: str\n    age: int\n    friends: list ="
        " field(default_factory=list)\n    def greet(self):\n        return f'I am {self.name}'",
        "people = [Person(f'p{i}', i % 90) for i in range(20_000)]",
        "by_name = {person.name: person for person in people}",
        "for person in people[:5_000]:\n    person.friends.append(random.choice(people[:5_000]))",
        "people[7].age += 1",
        "by_name['p7'].age",
        "text = [f'line {i} of the log' for i in range(50_000)]",
        "words = {}\nfor line in text[:10_000]:\n    for word in line.split():\n"
        "        words[word] = words.get(word, 0) + 1",
        "text.append('the end')",
        "def older(limit):\n    return [person for person in people if person.age > limit]",
        "seniors = older(80)",
        "seniors[0].name = 'renamed'",
        "people.append(Person('new', 1))",
        "tree = {'left': {'left': None, 'right': [1, 2]}, 'right': (3, 4)}",
        "tree['left']['right'].append(3)",
        "del seniors",
        "sum(person.age for person in people)",
    ),
    0,
    True,
)
MUTATIONS = Workload(
    "11 mutations of a DataFrame of 1e6 rows",
    (
        "import numpy as np, pandas as pd\nrng = np.random.default_rng(4)",
        "df = pd.DataFrame({'a': rng.random(1_000_000), 'b': rng.integers(0, 1_000, 1_000_000),"
        " 'c': rng.random(1_000_000)})",
        "df.loc[5, 'a'] = 0.0",
        "df.iloc[999_999, 2] = 1.0",
        "df['d'] = df.a * 2",
        "df.loc[df.b == 7, 'c'] = 0.0",
        "df.b += 1",
        "df.at[123_456, 'b'] = -1",
        "df['kind'] = 'x'",
        "df.loc[10:20, 'kind'] = 'y'",
        "df = df.drop(columns='d')",
        "df.iloc[0:100, 0] = 9.0",
        "df.rename(columns={'c': 'cost'}, inplace=True)",
    ),
    2,
    False,
)
LEARNING = Workload(
    "scikit-learn, fit and predict",
    (
        "import numpy as np\nfrom sklearn.datasets import make_classification\n"
        "from sklearn.ensemble import RandomForestClassifier\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.model_selection import train_test_split\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler",
        "X, y = make_classification(20_000, 20, random_state=5)",
        "X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=5)",
        "model = make_pipeline(StandardScaler(), LogisticRegression())",
        "model.fit(X_train, y_train)",
        "predicted = model.predict(X_test)",
        "score = model.score(X_test, y_test)\nscore",
        "forest = RandomForestClassifier(40, max_depth=8, random_state=5)",
        "forest.fit(X_train, y_train)",
        "chances = forest.predict_proba(X_test)",
        "ranking = np.argsort(forest.feature_importances_)[::-1]\nranking",
        "forest.score(X_test, y_test)",
        "results = {'linear': score, 'forest': forest.score(X_test, y_test)}",
    ),
    0,
    False,
)
