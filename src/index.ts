import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import autosave from './plugins/autosave';
import away from './plugins/away';
import client from './plugins/client';
import copies from './plugins/copies';
import damage from './plugins/damage';
import drafts from './plugins/drafts';
import drawing from './plugins/drawing';
import history from './plugins/history';
import images from './plugins/images';
import kernels from './plugins/kernels';
import naming from './plugins/naming';
import reach from './plugins/reach';
import recovery from './plugins/recovery';
import reverting from './plugins/reverting';
import saving from './plugins/saving';
import standing from './plugins/standing';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  autosave,
  away,
  client,
  copies,
  damage,
  drafts,
  drawing,
  history,
  images,
  kernels,
  naming,
  reach,
  recovery,
  reverting,
  saving,
  standing
];

export default plugins;
