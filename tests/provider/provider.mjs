// The certified OpenID Provider `oidc-provider` on a free port of 127.0.0.1, with the pages of
// oxd-dev's own provider: the same fields, buttons and values of `action`.
//
// The one argument is JSON: users ([{name, password, claims}]), acrs (the first one is what users
// get who are asked for none of them), access_token_lifetime and id_token_lifetime (seconds), and
// clients, the metadata of clients that do not say otherwise when they register.
// When it listens, it writes {"issuer": ...} to standard output. It ends with its standard input.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider, { interactionPolicy } from 'oidc-provider';

// Standard output is for the one line below; the package has remarks of its own.
console.log = console.info = console.error;

const { users, acrs, access_token_lifetime, id_token_lifetime, clients } = JSON.parse(process.argv[2]);

// OpenID Connect Core 1.0, 5.4; all other claims of a user go with `openid`.
const byScope = {
  profile: ['name', 'family_name', 'given_name', 'middle_name', 'nickname', 'preferred_username', 'profile',
    'picture', 'website', 'gender', 'birthdate', 'zoneinfo', 'locale', 'updated_at'],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
};
const standard = Object.values(byScope).flat();
const others = users.flatMap(({ claims }) => Object.keys(claims)).filter((name) => !standard.includes(name));

const asked = (params) => (params.acr_values ?? '').split(' ').filter((acr) => acrs.includes(acr));

// Whoever is signed in already signs in again for an acr that this was not done with.
const policy = interactionPolicy.base();
policy.get('login').checks.add(new interactionPolicy.Check(
  'acr_values',
  'the user was not authenticated in this way',
  ({ oidc }) => asked(oidc.params).length > 0 && !asked(oidc.params).includes(oidc.acr),
));

const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
const issuer = `http://127.0.0.1:${port}`;

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const keys = [rsa, ec, ed].map(({ privateKey }) => ({ ...privateKey.export({ format: 'jwk' }), use: 'sig' }));
const provider = new Provider(issuer, {
  acrValues: acrs,
  claims: { ...byScope, openid: [...new Set(['sub', ...others])] },
  clientDefaults: { require_auth_time: true, ...clients },
  // Cookies know no ports.
  cookies: {
    keys: [randomBytes(32).toString('hex')],
    long: { sameSite: 'lax', signed: true },
    names: { session: `op_session_${port}`, interaction: `op_step_${port}`, resume: `op_resume_${port}` },
  },
  // The package has no front-channel logout any more.
  features: {
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    registration: { enabled: true },
    rpInitiatedLogout: { enabled: true, logoutSource },
  },
  findAccount: (_, id) => {
    const claims = users.find((user) => user.claims.sub === id)?.claims;
    return claims && { accountId: id, claims: () => claims };
  },
  interactions: { policy, url: (_, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  jwks: { keys },
  // oxd 4 sends no challenge.
  pkce: { required: () => false },
  // A used refresh token that comes again ends the whole grant.
  rotateRefreshToken: true,
  scopes: ['openid', 'offline_access', 'oxd'],
  ttl: { AccessToken: access_token_lifetime, IdToken: id_token_lifetime },
});
provider.on('server_error', (_, error) => console.error(error));
provider.on('backchannel.error', (_, error) => console.error(error));

const safe = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const layout = (title, content) => `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title></head>
<body><main><h1>${title}</h1>${content}</main></body></html>`;

const button = (id, text) => `<button id="${id}" type="submit" name="action" value="${id}">${text}</button>`;

const signIn = (wrong) => layout('Sign in', `${wrong ? '<p role="alert">The name or the password is wrong.' : ''}
<form method="post">
<label for="username">User name</label> <input id="username" name="username">
<label for="password">Password</label> <input id="password" name="password" type="password">
${button('sign-in', 'Sign in')} ${button('cancel', 'Cancel')}
</form>`);

const consent = ({ scope }) => layout('Allow access?', `<p>${safe(scope)}
<form method="post">${button('allow', 'Allow')} ${button('cancel', 'Cancel')}</form>`);

function logoutSource(ctx, form) {
  const choice = `<button id="sign-out" type="submit" name="logout" value="yes">Sign out</button></form>`;
  ctx.body = layout('Sign out?', form.replace('</form>', choice));
}

// What the user's answer to a page leads to; a page again when it leads to nothing.
async function decided({ prompt, params, session, grantId }, given) {
  if (given.get('action') === 'cancel') {
    return { error: 'access_denied', error_description: 'the user said no' };
  }
  if (prompt.name === 'login') {
    const user = users.find(({ name }) => name === given.get('username'));
    if (user?.password !== given.get('password')) return signIn(true);
    return { login: { accountId: user.claims.sub, acr: asked(params)[0] ?? acrs[0] } };
  }
  const grant = await provider.Grant.find(grantId)
    ?? new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return { consent: { grantId: await grant.save() } };
}

async function interact(request, response) {
  const step = await provider.interactionDetails(request, response);
  let answer = step.prompt.name === 'login' ? signIn(false) : consent(step.params);
  if (request.method === 'POST') {
    const body = (await request.toArray()).join('');
    answer = await decided(step, new URLSearchParams(body));
  }
  if (typeof answer === 'object') {
    await provider.interactionFinished(request, response, answer);
    return;
  }
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(answer);
}

const serve = provider.callback();
server.on('request', (request, response) => {
  if (!request.url.startsWith('/interaction/')) return serve(request, response);
  return interact(request, response).catch((error) => {
    console.error(error);
    response.writeHead(400).end(String(error));
  });
});

process.stdout.write(`${JSON.stringify({ issuer })}\n`);
process.stdin.resume().on('end', () => process.exit());
