// A gateway with the demo company, as a process of its own: GUANXI names the program.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const binary = process.env.GUANXI;
if (!binary) throw new Error('GUANXI does not name the program');

const environment = { PATH: process.env.PATH, HOME: tmpdir(), TMPDIR: tmpdir() };

export class Gateway {
  #directory = mkdtempSync(join(tmpdir(), 'guanxi-clients-'));
  #flags;
  #process;
  #listen = '127.0.0.1:0';

  constructor(flags = []) {
    this.#flags = flags;
  }

  // Starts it; from the second time on where it was, with what it knew.
  async start() {
    this.#process = spawn(
      binary,
      ['serve', '--demo', '--db', `sqlite:${join(this.#directory, 'demo.db')}`, '--listen', this.#listen, ...this.#flags],
      { env: environment, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let said = '';
    this.#process.stderr.on('data', (text) => (said += text));
    const lines = createInterface({ input: this.#process.stdout });
    const first = await Promise.race([once(lines, 'line').then(([line]) => line), once(this.#process, 'exit').then(() => '')]);
    if (!first.startsWith('listening on ')) throw new Error(`the gateway did not start: ${said}`);
    this.url = `${first.slice('listening on '.length).trim()}/graphql`;
    this.#listen = new URL(this.url).host;
    return this;
  }

  // Ends it, with SIGTERM as an operator does or with SIGKILL.
  async stop(signal = 'SIGTERM') {
    if (!this.#process || this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill(signal);
    await gone;
  }

  async restart(signal) {
    await this.stop(signal);
    await this.start();
  }

  async close() {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get sockets() {
    return this.url.replace(/^http/, 'ws');
  }

  // An Authorization header for a person of the demo.
  as(account) {
    return `Bearer ${execFileSync(binary, ['token', account], { env: environment, encoding: 'utf8' }).trim()}`;
  }

  // Asks once, and fails where the answer has errors.
  async ask(authorization, query, variables = {}) {
    const answer = await fetch(this.url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await answer.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }
}

// Somebody who blocks a colleague and lifts it, again and again: each is one change.
export class Busy {
  constructor(gateway, account, target) {
    this.gateway = gateway;
    this.authorization = gateway.as(account);
    this.target = target;
    this.done = 0;
  }

  async changes(count) {
    const { member, workspaces } = await this.gateway.ask(
      this.authorization,
      'query($account: String!) { member(accountName: $account) { id } workspaces { id name } }',
      { account: this.target },
    );
    for (let i = 0; i < count; i++) {
      if (this.done % 2 === 0) {
        const { block } = await this.gateway.ask(
          this.authorization,
          `mutation($target: ID!, $on: ID!) { block(input: {targetId: $target, kind: BLOCK, workspaceIds: [$on], reason: "noise"}) {
            results { relationship { id } } userErrors { code message } } }`,
          { target: member.id, on: workspaces[0].id },
        );
        if (block.userErrors.length > 0) throw new Error(JSON.stringify(block.userErrors));
        this.relationship = block.results[0].relationship.id;
      } else {
        const { liftRelationship } = await this.gateway.ask(
          this.authorization,
          'mutation($id: ID!) { liftRelationship(relationshipId: $id, reason: "quiet") { userErrors { code message } } }',
          { id: this.relationship },
        );
        if (liftRelationship.userErrors.length > 0) throw new Error(JSON.stringify(liftRelationship.userErrors));
      }
      this.done++;
    }
  }
}

export const changes = `subscription($after: String) {
  relationshipChanged(after: $after) { cursor previousState relationship { id state version } }
}`;

// Waits until something is so, for a while.
export async function until(what, holds, milliseconds = 20_000) {
  for (const end = Date.now() + milliseconds; !(await holds()); ) {
    if (Date.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}
