// Subscribers that are cut, and resume: nothing is missed, and nothing comes twice.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createClient as createEvents } from 'graphql-sse';
import { createClient as createSockets } from 'graphql-ws';
import WebSocket from 'ws';
import { Busy, changes, Gateway, until } from './gateway.mjs';

const gateway = new Gateway();
before(() => gateway.start());
after(() => gateway.close());

const watcher = 'linyue002'; // an admin, who sees every relationship
const step = 7;

// The variables are part of the subscription that a client sends again after a cut: it resumes after what it has seen.
function follow(subscribe, cursor) {
  const seen = [];
  const failures = [];
  const variables = { after: cursor };
  const stop = subscribe(
    { query: changes, variables },
    {
      next: ({ data, errors }) => {
        if (errors) return failures.push(errors);
        seen.push(data.relationshipChanged);
        variables.after = data.relationshipChanged.cursor;
      },
      error: (failure) => failures.push(failure),
      complete: () => {},
    },
  );
  return { seen, failures, stop };
}

// Everything after a cursor, by somebody who is never cut.
async function truth(cursor, count) {
  const client = createSockets({ url: gateway.sockets, webSocketImpl: WebSocket, connectionParams: { authorization: gateway.as(watcher) }, retryAttempts: 0 });
  const { seen, failures } = follow((payload, sink) => client.subscribe(payload, sink), cursor);
  await until(`${count} events`, () => seen.length >= count || failures.length > 0);
  await new Promise((resume) => setTimeout(resume, 300)); // for one too many
  await client.dispose();
  assert.deepEqual(failures, []);
  return seen;
}

async function cutAndResume(open, cuts) {
  const { changeCursor } = await gateway.ask(gateway.as(watcher), '{ changeCursor }');
  const busy = new Busy(gateway, 'wangfang004', 'liqiang005');
  const { subscribe, dispose } = open();
  const { seen, failures } = follow(subscribe, changeCursor);
  await busy.changes(step);
  await until('the first events', () => seen.length >= step);
  for (const cut of cuts) {
    await cut(() => busy.changes(step));
    await busy.changes(step);
    await until('events after a cut', () => seen.length >= busy.done);
  }
  await busy.changes(busy.done % 2); // leave nothing blocked
  await until('the last events', () => seen.length >= busy.done);
  const all = await truth(changeCursor, busy.done);
  assert.equal(all.length, busy.done);
  assert.deepEqual(seen, all);
  assert.deepEqual(failures, []);
  await dispose();
}

describe('graphql-ws', () => {
  test('resumes after a killed socket, a restart, and a killed server', async () => {
    const opened = [];
    const closed = [];
    const open = () => {
      const client = createSockets({
        url: gateway.sockets,
        webSocketImpl: WebSocket,
        connectionParams: () => ({ authorization: gateway.as(watcher) }),
        retryAttempts: 100,
        retryWait: () => new Promise((resume) => setTimeout(resume, 50)),
        shouldRetry: () => true,
        on: { opened: (socket) => opened.push(socket), closed: (event) => closed.push(event.code) },
      });
      return { subscribe: (payload, sink) => client.subscribe(payload, sink), dispose: () => client.dispose() };
    };
    await cutAndResume(open, [
      async (meanwhile) => {
        opened.at(-1).terminate();
        await meanwhile();
      },
      async () => gateway.restart('SIGTERM'),
      async () => gateway.restart('SIGKILL'),
    ]);
    assert.equal(opened.length, 4, 'it connected once, and once after each cut');
    assert.deepEqual(closed.slice(0, 3), [1006, 1001, 1006], 'a gateway that is stopped says so');
  });

  const closeCode = (messages) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(gateway.sockets, 'graphql-transport-ws');
      socket.on('open', () => messages.forEach((message) => socket.send(JSON.stringify(message))));
      socket.on('close', resolve);
      socket.on('error', reject);
    });
  const init = { type: 'connection_init', payload: { authorization: gateway.as(watcher) } };
  const subscribe = (id) => ({ id, type: 'subscribe', payload: { query: changes } });
  for (const [what, code, messages] of [
    ['a message of another protocol', 4400, [init, { type: 'start' }]],
    ['an operation before the greeting', 4401, [subscribe('1')]],
    ['no token', 4403, [{ type: 'connection_init' }]],
    ['two greetings', 4429, [init, init]],
  ]) {
    test(`${what}: ${code}`, async () => assert.equal(await closeCode(messages), code));
  }
});

describe('graphql-sse', () => {
  const open = () => {
    const client = createEvents({
      url: () => gateway.url,
      headers: () => ({ authorization: gateway.as(watcher) }),
      retryAttempts: 100,
      retry: () => new Promise((resume) => setTimeout(resume, 50)),
    });
    return { subscribe: (payload, sink) => client.subscribe(payload, sink), dispose: () => client.dispose() };
  };
  test('resumes after a restart and a killed server', async () => {
    await cutAndResume(open, [async () => gateway.restart('SIGTERM'), async () => gateway.restart('SIGKILL')]);
  });

  test('a query is one event, and complete', async () => {
    const { subscribe, dispose } = open();
    const events = [];
    await new Promise((complete, error) => subscribe({ query: '{ viewer { member { name } } }' }, { next: (event) => events.push(event), error, complete }));
    assert.deepEqual(events, [{ data: { viewer: { member: { name: '林悦' } } } }]);
    await dispose();
  });
});
