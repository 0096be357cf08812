// Starts the price board. Needs no login: everybody may watch. A bell rings for who is known.

import '../styles/base.css';
import '../styles/controls.css';
import '../styles/site.css';
import '../styles/page.css';
import '../styles/prices.css';
import '../styles/bell.css';
import '../styles/notes.css';
import { userId } from '../names.js';
import { hasProfile, loadProfile } from '../profile.js';
import { SiteHeader } from '../site-header.js';
import { devCredential } from '../token.js';
import { PricesPage } from './page.js';

/** Who was in the chat or has notifications in this tab hears the bell here too; the code for it is loaded only then. */
async function addBell(header: SiteHeader): Promise<void> {
  if (!hasProfile()) return;
  const { name, suffix } = loadProfile();
  const credential = await devCredential(userId(name, suffix), name);
  const { Ringer } = await import('../notifications/ringer.js');
  header.showBell(new Ringer(credential).bell.element);
}

const root = document.getElementById('app');
if (root !== null) {
  const header = new SiteHeader('prices');
  root.replaceChildren(header.element, new PricesPage().element);
  // Without a token there is no bell, and the board needs none.
  addBell(header).catch(() => undefined);
}
