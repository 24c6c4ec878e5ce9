import { createInstance, type TFunction } from 'i18next';
import { isOwnType, type OwnType } from './own-types.ts';
import { en } from './texts/en.ts';

/** What is shown inside the app. */
interface Shown {
  readonly title: string;
  readonly message: string;
}

export interface Texts {
  /** @param values.count how many messages it stands for @param values.at what it is about, in `values.timeZone` */
  ofOwnType(type: OwnType, values: { count: number; at?: Date | undefined; timeZone?: string | undefined }): Shown;
  /** What others may see: never content, never a name. */
  discreet(type: string, count: number): string;
  /** A sentence of `email` or `page`. */
  sentence(key: `email.${keyof typeof en.email}` | `page.${keyof typeof en.page}`, values?: { push: string }): string;
  /** The language that these texts are in. */
  readonly language: string;
}

export type TextsOf = (locale: string | null | undefined) => Texts;

/** The texts in the nearest language to the one that a user asked for; English when there is none. */
export function createTexts(): TextsOf {
  const i18n = createInstance();
  void i18n.init({
    lng: 'en',
    fallbackLng: 'en',
    supportedLngs: ['en'],
    nonExplicitSupportedLngs: true,
    initAsync: false,
    resources: { en: { translation: en } },
    // Texts go into JSON and plain text; the HTML of an e-mail escapes for itself.
    interpolation: { escapeValue: false },
  });
  const known = new Map<string, Texts>();
  return locale => {
    const language = i18n.services.languageUtils.getBestMatchFromCodes([locale ?? 'en']);
    const texts = known.get(language) ?? textsIn(language, i18n.getFixedT(language));
    known.set(language, texts);
    return texts;
  };
}

function textsIn(language: string, t: TFunction): Texts {
  return {
    language,
    ofOwnType: (type, { count, at, timeZone = 'UTC' }) => {
      const format = { dateStyle: 'full', timeStyle: 'short', timeZone } as const;
      const values = { count, when: at && new Intl.DateTimeFormat(language, format).format(at) };
      return { title: t(`${type}.title`, values), message: t(`${type}.message`, values) };
    },
    discreet: (type, count) => t(`${isOwnType(type) ? type : 'OTHER'}.push`, { count }),
    sentence: (key, values) => t(key, { ...values }),
  };
}
