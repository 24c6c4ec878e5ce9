import { runProcess } from '@rapport/service';
import { startGateway } from './gateway.ts';

runProcess('gateway', startGateway);
