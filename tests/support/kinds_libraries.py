# ruff: noqa: E501 - what is made and what must hold of it stand in one row each
"""Kinds of object of the libraries that notebooks use."""

from __future__ import annotations

from tests.support.kinds import of_group

NUMPY = of_group(
    "numpy",
    ("array", "value = np.arange(50000.)", "value.sum() == 1249975000.0 and value.flags.writeable",
     "value[7] = -1"),
    ("view that shares memory", "base = np.arange(9.); value = base[2:5]",
     "value.tolist() == [2, 3, 4] and np.shares_memory(value, base) and "
     "(base.__setitem__(2, 9), value[0])[1] == 9", "base[3] = 7"),
    ("view whose base has no name", "value = [np.arange(9)[::2]]; value.append(value[0][1:])",
     "np.shares_memory(*value) and value[1].tolist() == [2, 4, 6, 8]", "value[0][1] = 0"),
    ("transpose and reversed view", "base = np.arange(6).reshape(2, 3); value = base.T[::-1]",
     "value.tolist() == [[2, 5], [1, 4], [0, 3]] and np.shares_memory(value, base)",
     "base[0, 0] = 7"),
    ("Fortran order", "value = np.asfortranarray(np.arange(6).reshape(2, 3))",
     "value.flags.f_contiguous and not value.flags.c_contiguous and value[1, 2] == 5",
     "value[1, 2] = 3"),
    ("broadcast view", "value = np.broadcast_to(np.arange(3), (4, 3))",
     "value.strides[0] == 0 and value.tolist() == [[0, 1, 2]] * 4 and not value.flags.writeable"),
    ("read-only array", "value = np.ones(3); value.flags.writeable = False",
     "not value.flags.writeable and value.sum() == 3", "value = np.ones(3)"),
    ("structured array and a field of it",
     "base = np.zeros(3, dtype=[('a', 'i4'), ('b', 'f8')]); value = base['b']; value[1] = 2",
     "base['b'][1] == 2 and np.shares_memory(base, value) and base.dtype.names == ('a', 'b')",
     "value[1] = 3"),
    ("object array with shared elements", "inner = []; value = np.array([inner, inner, None], object)",
     "value[0] is value[1] is inner and value[2] is None and not inner", "inner.append(1)"),
    ("masked array", "value = np.ma.array([1, 2, 3], mask=[0, 1, 0])",
     "value.sum() == 4 and value.mask.tolist() == [False, True, False]", "value[0] = 5"),
    ("recarray", "value = np.rec.array([(1, 'a')], dtype=[('n', 'i4'), ('s', 'U1')])",
     "value.n[0] == 1 and type(value) is np.recarray", "value.n[0] = 2"),
    ("datetime64, text and bytes arrays",
     "value = [np.array(['2024-01-01', 'NaT'], 'M8[D]'), np.array(['é', 'abc']), np.array([b'x'])]",
     "np.isnat(value[0][1]) and value[1].tolist() == ['é', 'abc'] and value[2].dtype == 'S1'",
     "value[1][0] = 'z'"),
    ("variable-width strings", "value = np.array(['a', 'long ' * 20], dtype=np.dtypes.StringDType())",
     "value.tolist() == ['a', 'long ' * 20] and value.dtype == np.dtypes.StringDType()",
     "value[0] = 'z'"),
    ("scalars and dtypes", "value = [np.float32(0.1), np.dtype('>i2'), np.bool_(True)]",
     "value[0].dtype == 'f4' and value[1].byteorder == '>' and value[2].dtype == bool",
     "value.pop()"),
    ("Generator in mid-stream", "value = np.random.default_rng(3); value.random(); ahead = "
     "np.random.default_rng(3).random(2)[1]", "value.random() == ahead", "value.random()"),
    ("subclass of the notebook",
     "class U(np.ndarray): unit = None\nvalue = np.arange(3.).view(U); value.unit = 'm'",
     "type(value) is U and value.unit == 'm' and value.sum() == 3", "value.unit = 's'"),
    ("memmap", "path = tempfile.mkdtemp() + '/m'; value = np.memmap(path, 'f8', 'w+', shape=(4,)); "
     "value[1] = 5", "value[1] == 5 and value.shape == (4,)", "value = 0"),
    ("ufunc from a function", "value = np.frompyfunc(lambda a: a + 1, 1, 1)",
     "value(np.array([1, 2])).tolist() == [2, 3]", "value = 0"),
)  # fmt: skip
TABLES = of_group(
    "tables",
    ("DataFrame", "value = pd.DataFrame({'a': [1, 2], 'b': [1.5, None], 'c': ['x', None]}, "
     "index=['r', 's'])", "value.loc['r', 'a'] == 1 and value.b.isna().tolist() == [False, True] "
     "and value.c['r'] == 'x' and list(value.columns) == ['a', 'b', 'c']", "value.loc['r', 'a'] = 5"),
    ("Series with a name and attrs", "value = pd.Series([1, 2], name='n'); value.attrs['u'] = 'm'",
     "value.name == 'n' and value.attrs == {'u': 'm'} and value.sum() == 3", "value.iloc[0] = 7"),
    ("categorical, ordered", "value = pd.Series(pd.Categorical(['lo', 'hi'], ['lo', 'hi'], "
     "ordered=True))", "value.max() == 'hi' and value.cat.ordered", "value.iloc[1] = 'lo'"),
    ("MultiIndex", "value = pd.DataFrame({'v': [1, 2]}, index=pd.MultiIndex.from_tuples([('a', 1), "
     "('b', 2)], names=['k', 'n']))",
     "value.loc[('b', 2), 'v'] == 2 and value.index.names == ['k', 'n']", "value.iloc[1, 0] = 9"),
    ("DatetimeIndex with zone and frequency",
     "value = pd.Series(range(3), pd.date_range('2024-03-30', periods=3, freq='D', "
     "tz='Europe/Berlin'))", "value.index.freqstr == 'D' and str(value.index.tz) == 'Europe/Berlin'",
     "value.index = range(3)"),
    ("nullable and arrow columns",
     "value = pd.DataFrame({'i': pd.array([1, None], 'Int64'), 's': pd.array(['a', None], "
     "'string[pyarrow]'), 'b': pd.array([True, None], 'boolean')})",
     "value.dtypes.astype(str).tolist()[0] == 'Int64' and value.i.sum() == 1 and value.s[0] == 'a'",
     "value.loc[0, 'i'] = 3"),
    ("object column with shared lists", "inner = [1]; value = pd.DataFrame({'o': [inner, inner]})",
     "value.o[0] is value.o[1] is inner and inner == [1]", "inner.append(2)"),
    ("index shared by two frames",
     "value = pd.DataFrame({'a': [1, 2]}, index=[5, 6]); other = pd.DataFrame(index=value.index)",
     "other.index is value.index and value.a[6] == 2", "other.index = [1, 2]"),
    ("intervals, periods, timedeltas, sparse",
     "value = [pd.interval_range(0, 2), pd.period_range('2024', periods=2, freq='M'), "
     "pd.Timedelta('1D'), pd.arrays.SparseArray([0, 0, 1])]",
     "1 in value[0][0] and str(value[1][1]) == '2024-02' and value[2].days == 1 and "
     "value[3].density < .5", "value.pop()"),
    ("groupby", "base = pd.DataFrame({'k': list('aab'), 'v': [1, 2, 3]}); value = base.groupby('k')",
     "value.v.sum().to_dict() == {'a': 3, 'b': 3}", "value = 0"),
    ("rolling and styler", "base = pd.DataFrame({'v': [1., 2, 3]}); value = base.v.rolling(2)",
     "value.sum().tolist()[1:] == [3, 5]"),
    ("polars DataFrame", "value = pl.DataFrame({'a': [1, 2], 's': ['x', None], 'l': [[1], []]})",
     "value['a'].sum() == 3 and value['s'].to_list() == ['x', None] and value['l'][0].to_list() == "
     "[1]", "value = pl.DataFrame({'a': [5]})"),
    ("polars LazyFrame", "value = pl.DataFrame({'a': [1, 2]}).lazy().filter(pl.col('a') > 1)",
     "value.collect()['a'].to_list() == [2]"),
    ("arrow table", "value = pa.table({'a': [1, None], 's': ['x', 'y']}, metadata={'k': 'v'})",
     "value['a'].null_count == 1 and value.schema.metadata == {b'k': b'v'}"),
    ("arrow dictionary and slice", "value = pa.array(['a', 'b', 'a']).dictionary_encode()[1:]",
     "value.to_pylist() == ['b', 'a'] and pa.types.is_dictionary(value.type)"),
)  # fmt: skip
OTHERS = of_group(
    "other libraries",
    ("sparse matrix", "value = sp.csr_matrix([[0, 1], [2, 0]])",
     "value.toarray().tolist() == [[0, 1], [2, 0]] and value.has_sorted_indices", "value.data[0] = 9"),
    ("sparse arrays share their data", "base = sp.coo_array(([1., 2.], ([0, 1], [1, 0]))); "
     "value = base.data", "value is base.data and value.tolist() == [1, 2]", "value[0] = 5"),
    ("fitted estimator",
     "value = sklearn.linear_model.LinearRegression().fit([[0.], [1.], [2.]], [1., 3., 5.])",
     "abs(value.predict([[3.]])[0] - 7) < 1e-9 and value.n_features_in_ == 1", "value.coef_[0] = 0"),
    ("fitted pipeline",
     "import sklearn.pipeline, sklearn.preprocessing\nvalue = sklearn.pipeline.make_pipeline("
     "sklearn.preprocessing.StandardScaler(), sklearn.linear_model.Ridge()).fit([[0.], [1.]], "
     "[0., 1.])", "value[0].mean_[0] == .5 and value.predict([[1.]])[0] > .5",
     "value[0].mean_[0] = 2"),
    ("tensor", "value = torch.arange(6.).reshape(2, 3)", "value.sum().item() == 15", "value[0, 0] = 9"),
    ("tensors that share a storage", "base = torch.zeros(6); value = base[2:4]; value += 1",
     "base[2].item() == 1 and (base.fill_(5), value[0].item())[1] == 5", "base[2] = 7"),
    ("parameter with a gradient",
     "value = torch.nn.Parameter(torch.ones(2)); (value * 3).sum().backward()",
     "value.requires_grad and value.grad.tolist() == [3, 3] and type(value) is torch.nn.Parameter",
     "value.grad.zero_()"),
    ("module of the notebook with tied weights",
     "class Net(torch.nn.Module):\n def __init__(s):\n  super().__init__(); s.a = torch.nn.Linear(2, "
     "2); s.b = torch.nn.Linear(2, 2); s.b.weight = s.a.weight\n def forward(s, x): return "
     "s.b(s.a(x))\ntorch.manual_seed(1); value = Net(); said = value(torch.ones(1, 2)).tolist()",
     "value.a.weight is value.b.weight and value(torch.ones(1, 2)).tolist() == said",
     "value.a.weight.data.zero_()"),
    ("optimiser with its parameters",
     "net = torch.nn.Linear(1, 1); value = torch.optim.Adam(net.parameters()); "
     "net(torch.ones(1)).backward(); value.step()",
     "value.param_groups[0]['params'][0] is net.weight and int(value.state[net.weight]['step']) == 1",
     "value.step()"),
    ("non-leaf tensor of a graph", "base = torch.ones(2, requires_grad=True); value = base * 2",
     "value.grad_fn is not None and value.tolist() == [2, 2]", "value = 0", True),
    ("integers and half tensors", "value = [torch.tensor([1], dtype=torch.int8), torch.ones(2, "
     "dtype=torch.bfloat16), torch.eye(2).T]",
     "value[0].dtype == torch.int8 and value[1].sum().item() == 2 and value[2].is_contiguous() is "
     "False", "value.pop()"),
    ("matplotlib figure",
     "import matplotlib; matplotlib.use('Agg'); value, ax = plt.subplots(); ax.plot([1, 2], [3, 4])",
     "value.axes[0] is ax and ax.lines[0].get_ydata()[1] == 4", "ax.clear()"),
    ("image", "value = PIL.Image.new('RGB', (4, 3), (1, 2, 3))",
     "value.size == (4, 3) and value.getpixel((3, 2)) == (1, 2, 3)", "value.putpixel((3, 2), (9, 9, 9))"),
    ("graph", "value = nx.Graph(); value.add_edge('a', 'b', w=[1])",
     "value['a']['b'] is value['b']['a'] and value['a']['b']['w'] == [1]", "value['a']['b']['w'].append(2)"),
    ("graph view", "base = nx.path_graph(4); value = base.subgraph([0, 1])",
     "sorted(value.edges) == [(0, 1)] and (base.remove_edge(0, 1), len(value.edges))[1] == 0",
     "base.remove_edge(0, 1)"),
    ("symbols and expressions", "x = sympy.Symbol('x', positive=True); value = sympy.sqrt(x**2) + 1",
     "value == x + 1 and x.is_positive and value.diff(x) == 1"),
    ("sympy function and matrix", "value = sympy.Matrix([[sympy.Symbol('a'), 1]])",
     "value.shape == (1, 2) and str(value[0]) == 'a'", "value[0, 0] = 3"),
)  # fmt: skip
