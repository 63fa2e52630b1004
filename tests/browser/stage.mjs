// A project with a run in it, a server over it, and a browser.
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Where .ci/browser has put them.
const require = createRequire(process.env.BRIGADE_BROWSER_MODULES);
export const { chromium } = require("playwright-core");
export const axe = require.resolve("axe-core/axe.min.js");
export const program = process.env.BRIGADE_BROWSER_PROGRAM;
export const shots = process.env.BRIGADE_BROWSER_SHOTS;

export const EVIL = `<script>alert(1)</script><img src=x onerror=alert(2)>"'</title><svg onload=alert(3)>`;
export const NAME = `"><img src=x onerror=alert(4)>`;

export class Stage {
  constructor() {
    this.root = mkdtempSync(join(tmpdir(), "brigade-browser-"));
    this.work = join(this.root, "work");
    this.env = {
      PATH: process.env.PATH, HOME: join(this.root, "home"), USER: "tester", TMPDIR: this.root,
    };
    mkdirSync(this.env.HOME);
  }

  /** A command of an agent, in a process of its own. */
  run(agent, ...args) {
    return execFileSync(program, args, { cwd: this.work, env: { ...this.env, BRIGADE_AGENT: agent }, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  /** A command out of a session of Claude Code, which names itself to what it runs. */
  inside(session, ...args) {
    return execFileSync(program, args, { cwd: this.work, env: { ...this.env, CLAUDE_CODE_SESSION_ID: session }, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  /** What somebody says in that session, mirrored at once. */
  say(session, words) {
    const folder = join(this.env.HOME, ".claude", "projects", "work");
    mkdirSync(folder, { recursive: true });
    const at = new Date().toISOString();
    const row = { type: "user", uuid: `${words} ${at}`, sessionId: session, cwd: this.work, timestamp: at, message: { role: "user", content: words } };
    appendFileSync(join(folder, `${session}.jsonl`), `${JSON.stringify(row)}\n`);
    this.inside(session, "session", "mirror", "--session-id", session);
  }

  /** The demo's run, and what people and attackers add to one. */
  play() {
    execFileSync(program, ["demo", "--fast", "--dir", this.work], { cwd: this.root, env: this.env, stdio: "ignore" });
    this.run("designer", "create", "Add rate limits to login", "--id", "limits", "-p", "1", "-l", "api", "--depends-on", "review");
    this.run("designer", "create", "Measure the login", "--id", "measure", "--depends-on", "limits");
    this.run("developer", "claim", "docs");
    this.run("developer", "files", "--add", "src/login/**");
    this.run("reviewer", "files", "--add", "src/login/token.rs", "--force", "--reason", "a leak has to be closed now");
    this.run("reviewer", "memory", "set", "design.contract", "POST /login returns a signed token\nand a refresh token");
    this.run("reviewer", "send", "developer", "the token is written to the log", "--urgent", "--step", "build");
    this.run("designer", "ask-human", "limits", "How many tries in a minute?");
    this.run("evil", "create", EVIL, "--id", NAME, "-l", "<b>bold</b>");
    this.run("evil", "comment", NAME, EVIL);
    this.run("evil", "send", "_broadcast", EVIL, "--urgent");
    this.run("evil", "memory", "set", "evil", EVIL);
    writeFileSync(join(this.work, "evil.html"), EVIL);
    writeFileSync(join(this.work, "dot.png"), Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==", "base64"));
    this.run("evil", "artifact", "upload", "evil.html");
    this.run("evil", "artifact", "upload", "dot.png");
  }

  async serve(...options) {
    this.server = spawn(program, ["serve", "--json", "--port", "0", ...options], { cwd: this.work, env: { ...this.env, BRIGADE_AGENT: "ada" }, stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    for await (const piece of this.server.stdout) {
      said += piece;
      try { this.told = JSON.parse(said); break; } catch { /* not all of it yet */ }
    }
    this.url = new URL(this.told.url).origin;
    this.link = this.told.url;
  }

  async end() {
    if (this.server && this.server.exitCode === null) {
      const over = new Promise((done) => this.server.once("exit", done));
      this.server.kill("SIGTERM");
      await over;
    }
    rmSync(this.root, { recursive: true, force: true });
  }
}

export function launch() {
  return chromium.launch({
    executablePath: process.env.BRIGADE_BROWSER,
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

/** Whatever a page must never do: complain, ask another host, open a dialog. */
export function watchOver(page, own) {
  const faults = [];
  page.on("console", (message) => { if (message.type() === "error") faults.push(message.text()); });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("dialog", (dialog) => { faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(own)) faults.push(`asks ${request.url()}`); });
  return faults;
}

export async function until(what, check, limit = 10000) {
  const end = Date.now() + limit;
  for (;;) {
    if (await check()) return;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
