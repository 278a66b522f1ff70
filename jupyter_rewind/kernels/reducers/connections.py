"""Live ends of things outside: sockets, databases, archives, widgets, handles of libraries.

Nothing here is touched: the class is recognised by its name, and a placeholder stands in.
"""

from __future__ import annotations

from typing import Any

from jupyter_rewind.kernels.reducers.contract import Context, Reduction, stand_in
from jupyter_rewind.kernels.reducers.registry import Registry

_CONNECT = "connect again"
_OPEN = "open it again"
_AGAIN = "run the cell that made it again"

_LIVE = (
    ("_socket.socket", "a network socket", _CONNECT),
    ("ssl.SSLContext", "settings of TLS", _AGAIN),
    ("_ssl._SSLContext", "settings of TLS", _AGAIN),
    ("_ssl._SSLSocket", "a network socket", _CONNECT),
    ("http.client.HTTPConnection", "a connection to a web server", _CONNECT),
    ("http.client.HTTPResponse", "an answer of a web server, still open", _AGAIN),
    ("ftplib.FTP", "a connection to a file server", _CONNECT),
    ("smtplib.SMTP", "a connection to a mail server", _CONNECT),
    ("imaplib.IMAP4", "a connection to a mail server", _CONNECT),
    ("sqlite3.Connection", "a connection to a database", _CONNECT),
    ("sqlite3.Cursor", "a cursor of a database", _AGAIN),
    ("sqlite3.Blob", "an open value of a database", _AGAIN),
    ("dbm.dumb._Database", "an open database file", _OPEN),
    ("_gdbm.gdbm", "an open database file", _OPEN),
    ("_dbm.dbm", "an open database file", _OPEN),
    ("shelve.Shelf", "an open shelf", _OPEN),
    ("tempfile._TemporaryFileWrapper", "a temporary file", _AGAIN),
    ("tempfile._TemporaryFileCloser", "a temporary file", _AGAIN),
    ("tempfile.SpooledTemporaryFile", "a temporary file", _AGAIN),
    ("tempfile.TemporaryDirectory", "a temporary folder", _AGAIN),
    ("zipfile.ZipFile", "an open archive", _OPEN),
    ("zipfile.ZipExtFile", "an open file of an archive", _OPEN),
    ("tarfile.TarFile", "an open archive", _OPEN),
    ("gzip.GzipFile", "an open compressed file", _OPEN),
    ("bz2.BZ2File", "an open compressed file", _OPEN),
    ("lzma.LZMAFile", "an open compressed file", _OPEN),
    ("select.epoll", "a watch on files", _AGAIN),
    ("select.poll", "a watch on files", _AGAIN),
    ("selectors.BaseSelector", "a watch on files", _AGAIN),
    ("os.ScandirIterator", "a listing of a folder", _AGAIN),
    ("posix.ScandirIterator", "a listing of a folder", _AGAIN),
    ("posix.DirEntry", "an entry of a folder's listing", _AGAIN),
    ("_csv.reader", "a reader of a CSV file", _AGAIN),
    ("_csv.writer", "a writer of a CSV file", _AGAIN),
    ("ctypes.CDLL", "a loaded library", "load it again"),
    ("logging.FileHandler", "a log file", _AGAIN),
    ("logging.handlers.SocketHandler", "a log over the network", _AGAIN),
    ("logging.handlers.QueueListener", "a listener to a log", _AGAIN),
    ("numpy.lib._npyio_impl.NpzFile", "an open archive of arrays", _OPEN),
    ("numpy.lib.npyio.NpzFile", "an open archive of arrays", _OPEN),
    ("pandas.io.pytables.HDFStore", "an open HDF5 store", _OPEN),
    ("pandas.io.excel._base.ExcelWriter", "an open workbook", _OPEN),
    ("pandas.io.excel._base.ExcelFile", "an open workbook", _OPEN),
    ("pandas.io.parsers.readers.TextFileReader", "a reader of a file", _AGAIN),
    ("pyarrow.lib.NativeFile", "an open file", _OPEN),
    ("pyarrow.lib.RecordBatchReader", "a stream of record batches", _AGAIN),
    ("pyarrow.parquet.core.ParquetFile", "an open Parquet file", _OPEN),
    ("pyarrow.parquet.core.ParquetWriter", "a Parquet file being written", _AGAIN),
    ("h5py._hl.base.HLObject", "a part of an open HDF5 file", _OPEN),
    ("netCDF4._netCDF4.Dataset", "an open netCDF file", _OPEN),
    ("tables.file.File", "an open HDF5 file", _OPEN),
    ("sqlalchemy.engine.base.Engine", "a pool of database connections", _CONNECT),
    ("sqlalchemy.engine.base.Connection", "a connection to a database", _CONNECT),
    ("sqlalchemy.orm.session.Session", "a session of a database", _CONNECT),
    ("sqlalchemy.engine.result.Result", "rows of a database, still open", _AGAIN),
    ("psycopg2.extensions.connection", "a connection to a database", _CONNECT),
    ("psycopg2.extensions.cursor", "a cursor of a database", _AGAIN),
    ("psycopg.BaseConnection", "a connection to a database", _CONNECT),
    ("psycopg._connection_base.BaseConnection", "a connection to a database", _CONNECT),
    ("pymysql.connections.Connection", "a connection to a database", _CONNECT),
    ("pymongo.synchronous.mongo_client.MongoClient", "a connection to a database", _CONNECT),
    ("pymongo.mongo_client.MongoClient", "a connection to a database", _CONNECT),
    ("redis.client.Redis", "a connection to a database", _CONNECT),
    ("duckdb.DuckDBPyConnection", "a connection to a database", _CONNECT),
    ("_duckdb.DuckDBPyConnection", "a connection to a database", _CONNECT),
    ("duckdb.DuckDBPyRelation", "a query of a database", _AGAIN),
    ("_duckdb.DuckDBPyRelation", "a query of a database", _AGAIN),
    ("aiohttp.client.ClientSession", "a session with web servers", _CONNECT),
    ("httpx.Client", "a session with web servers", _CONNECT),
    ("httpx.AsyncClient", "a session with web servers", _CONNECT),
    ("distributed.client.Client", "a connection to a cluster", _CONNECT),
    ("distributed.deploy.cluster.Cluster", "a cluster", _AGAIN),
    ("pyspark.sql.session.SparkSession", "a Spark session", _CONNECT),
    ("pyspark.context.SparkContext", "a Spark session", _CONNECT),
    ("pyspark.sql.dataframe.DataFrame", "a table of a Spark session", _AGAIN),
    ("selenium.webdriver.remote.webdriver.WebDriver", "a browser", _AGAIN),
    ("zmq.sugar.context.Context", "sockets of ZeroMQ", _CONNECT),
    ("zmq.sugar.socket.Socket", "a socket of ZeroMQ", _CONNECT),
    ("torch.utils.data.dataloader._BaseDataLoaderIter", "a running data loader", _AGAIN),
    ("ipywidgets.widgets.widget.Widget", "a widget on the page", _AGAIN),
    ("comm.base_comm.BaseComm", "a channel to the page", _AGAIN),
    ("tqdm.std.tqdm", "a progress bar", _AGAIN),
)


def register(registry: Registry) -> None:
    for name, what, how in _LIVE:
        registry.add_named(name, _stand_in(what, how))


def _stand_in(what: str, how: str) -> Any:
    def reduce_live(value: Any, context: Context) -> Reduction:
        return stand_in(value, context, what, how)

    return reduce_live
