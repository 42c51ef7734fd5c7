import { describeRealData } from './real-data-suite.ts';

describeRealData('embedded bus', () => ({}));
