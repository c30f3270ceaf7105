"""The applications of the guide get a valid number, and no file is edited."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from runners.tools.find import find_tools, known_tools, this_host, tool_environment
from tests.support import shapes
from tests.support.bench import Bench
from tests.support.shelf import free_port

pytestmark = [pytest.mark.measures, pytest.mark.timeout(900)]

FASTAPI = """
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def root():
    return {"message": "Hello"}
"""
EXPRESS = """
const app = require('express')()
app.get('/', (request, response) => response.json({ message: 'Hello' }))
app.listen(process.env.PORT || 3000, '127.0.0.1')
"""
GO = """
package main

import ("encoding/json"; "flag"; "net/http"; "time")

func main() {
	address := flag.String("addr", "127.0.0.1:8080", "")
	flag.Parse()
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"message": "Hello", "now": time.Now().Format(time.RFC3339Nano)})
	})
	http.ListenAndServe(*address, nil)
}
"""
CARGO = """
[package]
name = "service"
version = "0.1.0"
edition = "2021"

[dependencies]
axum = { version = "0.7", default-features = false, features = ["http1", "json", "tokio"] }
serde_json = "1"
tokio = { version = "1", features = ["rt-multi-thread", "net"] }
"""
AXUM = """
use axum::{routing::get, Json, Router};

fn main() {
    let port = std::env::var("PORT").unwrap_or("3000".into());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let app = Router::new().route("/", get(|| async { Json(serde_json::json!({ "message": "Hello" })) }));
        let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
        axum::serve(listener, app).await.unwrap();
    });
}
"""
USER = "user root;" if os.geteuid() == 0 else ""  # else its workers may not read this test's folder
NGINX = """
{user}
pid nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server {{ listen 127.0.0.1:{port}; root html; location /api {{ proxy_pass http://127.0.0.1:{backend}/; }} }}
}}
"""


def prepared(bench: Bench, tool: str, *commands: tuple[str, ...]) -> None:
    """Run what makes an application ready, with the tool that it needs; skip without that tool."""
    host = this_host()
    tools = find_tools(known_tools(), (tool, "wrk"), host)
    if not tools[tool].found:
        pytest.skip(f"{tool} is not installed: speedup doctor --install")
    bench.env |= tool_environment(tools, host)
    for command in commands:
        done = subprocess.run(command, cwd=bench.folder, env=bench.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.network
def test_fastapi_with_uvicorn_is_measured(bench: Bench) -> None:
    """From an environment of its own, in a hidden folder."""
    (bench.folder / "main.py").write_text(FASTAPI, encoding="utf-8")
    install = (".venv/bin/pip", "install", "--quiet", "fastapi", "uvicorn")
    prepared(bench, "python3", (sys.executable, "-m", "venv", ".venv"), install)
    bench.initialize(".venv/bin/uvicorn main:app --port {port} --no-access-log")
    bench.assert_measured()


@pytest.mark.network
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_express_is_measured(bench: Bench) -> None:
    """It reads PORT."""
    (bench.folder / "server.js").write_text(EXPRESS, encoding="utf-8")
    prepared(bench, "node", ("npm", "install", "--no-audit", "--no-fund", "--silent", "express"))
    bench.initialize("NODE_ENV=production node server.js")
    bench.assert_measured()


def test_go_with_a_timestamp_in_its_json_is_measured(bench: Bench) -> None:
    """Only what stays the same is expected."""
    (bench.folder / "main.go").write_text(GO, encoding="utf-8")
    prepared(bench, "go", ("go", "mod", "init", "service"), ("go", "build", "-o", "server", "."))
    bench.initialize("./server -addr {host}:{port}")
    assert 'json = { message = "Hello" }' in bench.matrix.read_text(encoding="utf-8")
    bench.assert_measured()


@pytest.mark.network
def test_axum_is_measured(bench: Bench) -> None:
    """As a release build."""
    (bench.folder / "src").mkdir()
    (bench.folder / "src" / "main.rs").write_text(AXUM, encoding="utf-8")
    (bench.folder / "Cargo.toml").write_text(CARGO, encoding="utf-8")
    prepared(bench, "cargo", ("cargo", "build", "--release", "--quiet"))
    bench.initialize("PORT={port} ./target/release/service")
    bench.assert_measured()


@pytest.mark.parametrize("path", ["/index.html", "/api"])
def test_nginx_is_measured_with_a_file_and_before_a_backend(bench: Bench, path: str) -> None:
    """On the port that its configuration names."""
    port, backend = free_port(), free_port()
    (bench.folder / "html").mkdir()
    (bench.folder / "html" / "index.html").write_text("<p>Hello</p>", encoding="utf-8")
    (bench.folder / "nginx.conf").write_text(NGINX.format(user=USER, port=port, backend=backend), encoding="utf-8")
    start = f"{shapes.command('plain', str(backend))} &\nexec nginx -p . -c nginx.conf -g 'daemon off;'\n"
    (bench.folder / "start.sh").write_text(start, encoding="utf-8")
    prepared(bench, "nginx")
    ended = bench.run("init", "--name", "mine", "--path", path, "--run", "sh start.sh")
    assert ended.code == 0, ended.err
    assert f"port = {port}" in bench.matrix.read_text(encoding="utf-8")
    bench.assert_measured()
