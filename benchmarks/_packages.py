"""Popular packages: what to install, and code that uses their threads, files or network stack."""

from __future__ import annotations

SERVER = """
import http.server, threading
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"hello")
    def log_message(self, *args): ...
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = "http://127.0.0.1:%d/" % server.server_port
"""

PACKAGES = {
    "numpy": ("numpy", "import numpy as np; a = np.ones((400, 400)); assert (a @ a)[0, 0] == 400"),
    "pandas": (
        "pandas",
        (
            "import pandas as pd; f = pd.DataFrame({'k': [1, 1, 2], 'v': [1, 2, 3]})\n"
            "assert f.groupby('k').v.sum().tolist() == [3, 3]"
        ),
    ),
    "polars": (
        "polars",
        (
            "import polars as pl; f = pl.DataFrame({'k': [1, 1, 2], 'v': [1, 2, 3]})\n"
            "assert f.lazy().group_by('k').agg(pl.col('v').sum()).sort('k').collect()['v'][0] == 3"
        ),
    ),
    "pyarrow": (
        "pyarrow",
        (
            "import pyarrow as pa, pyarrow.compute as pc\n"
            "assert pc.sum(pa.chunked_array([list(range(10**5))] * 4)).as_py() > 0"
        ),
    ),
    "scikit-learn": (
        "scikit-learn",
        (
            "import numpy as np; from sklearn.ensemble import RandomForestClassifier\n"
            "x = np.arange(200.0).reshape(100, 2)\n"
            "forest = RandomForestClassifier(20, n_jobs=2).fit(x, x[:, 0] > 100)\n"
            "assert forest.predict(x)[-1]"
        ),
    ),
    "scipy": (
        "scipy",
        "import numpy as np, scipy.linalg as la; assert la.inv(np.eye(300) * 2)[0, 0] == 0.5",
    ),
    "matplotlib": (
        "matplotlib",
        (
            "import io, matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt\n"
            "plt.plot([1, 2]); b = io.BytesIO(); plt.savefig(b); assert b.tell()"
        ),
    ),
    "requests": ("requests", f"{SERVER}import requests; assert requests.get(url).text == 'hello'"),
    "httpx": (
        "httpx",
        (
            f"{SERVER}import asyncio, httpx; assert httpx.get(url).text == 'hello'\n"
            "async def get():\n    async with httpx.AsyncClient() as c: return await c.get(url)\n"
            "assert asyncio.run(get()).text == 'hello'"
        ),
    ),
    "boto3": (
        "boto3",
        (
            f"{SERVER}import boto3, botocore.config\n"
            "s = boto3.client('s3', 'eu-west-1', endpoint_url=url, aws_access_key_id='x',\n"
            "  aws_secret_access_key='y')\n"
            "assert s.get_object(Bucket='b', Key='k')['Body'].read() == b'hello'"
        ),
    ),
    "sqlalchemy": (
        "sqlalchemy",
        (
            "import sqlalchemy as sa\n"
            "with sa.create_engine('sqlite://').connect() as c:\n"
            "    assert c.execute(sa.text('select 41 + 1')).scalar() == 42"
        ),
    ),
    "psycopg": (
        "psycopg[binary]",
        (
            "import psycopg\n"
            "try: psycopg.connect('host=127.0.0.1 port=1 connect_timeout=2')\n"
            "except psycopg.OperationalError: pass"
        ),
    ),
    "grpcio": (
        "grpcio",
        (
            "import grpc; from concurrent import futures\n"
            "h = grpc.method_handlers_generic_handler('s', {'m':\n"
            "  grpc.unary_unary_rpc_method_handler(lambda r, c: r)})\n"
            "s = grpc.server(futures.ThreadPoolExecutor(2)); s.add_generic_rpc_handlers((h,))\n"
            "port = s.add_insecure_port('127.0.0.1:0'); s.start()\n"
            "with grpc.insecure_channel(f'127.0.0.1:{port}') as c:\n"
            "    assert c.unary_unary('/s/m')(b'hello', timeout=20) == b'hello'\n"
            "s.stop(None)"
        ),
    ),
    "pydantic": (
        "pydantic",
        "import pydantic\nclass M(pydantic.BaseModel):\n    x: int\nassert M(x='1').x == 1",
    ),
    "duckdb": (
        "duckdb",
        (
            "import duckdb\n"
            "assert duckdb.sql('select sum(range) from range(1000000)').fetchall()[0][0] > 0"
        ),
    ),
    "dagster": (
        "dagster",
        (
            "import dagster as dg\n"
            "def run():\n    @dg.asset\n    def a(): return 1\n    return dg.materialize([a])\n"
            "assert run().success"
        ),
    ),
    "dbt-core": (
        "dbt-core<1.12",  # from then on, it needs a parser that is built from source
        "from dbt.cli.main import dbtRunner\nassert dbtRunner().invoke(['--version']) is not None",
    ),
    "cryptography": (
        "cryptography",
        (
            "from cryptography.fernet import Fernet; f = Fernet(Fernet.generate_key())\n"
            "assert f.decrypt(f.encrypt(b'x')) == b'x'"
        ),
    ),
    "pillow": ("pillow", "from PIL import Image; assert Image.new('RGB', (9, 9)).resize((3, 3))"),
    "statsmodels": (
        "statsmodels",
        (
            "import numpy as np, statsmodels.api as sm; x = np.arange(9.0)\n"
            "assert abs(sm.OLS(2 * x, x).fit().params[0] - 2) < 1e-9"
        ),
    ),
}
