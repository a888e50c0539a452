// Logs in and asks for the state while the rest of the page is still on its way.
import { begin } from './connection.js';

begin();
