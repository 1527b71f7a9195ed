(()=>{var j,ot,Xt,V,Se,fe,st,pe,at,Pe,Me,Gt,se=Symbol.for("pv"),me={},he=[],Yt=/^m(i|n|o|s|text|space)$/,je=Array.isArray,Ee=he.slice,Y=Object.assign;function G(e){e&&e.parentNode&&e.remove()}function rt(e,t,n){var o,r,s,a={},i=arguments.length;for(s in t)s=="key"?o=t[s]:s=="ref"&&typeof e!="function"?r=t[s]:a[s]=t[s];return i>2&&(a.children=i>3?Ee.call(arguments,2):n),oe(e,a,o,r,null)}function oe(e,t,n,o,r){var s={type:e,props:t,key:n,ref:o,__k:null,__:null,__b:0,__e:null,__c:null,constructor:se,__v:r||++ot,__i:-1,__u:0};return!r&&j.vnode&&j.vnode(s),s}function $e(e){return e.children}function de(e,t){this.props=e,this.context=t,this.__g=0}function K(e,t){if(t==null)return e.__&&K(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.props.__P?null:K(e)}function Qt(e){var t,n=e.__v,o=n.__e,r=[],s=[],a=e.__P;a&&((t=Y({constructor:se},n)).__v=n.__v+1,j.vnode&&j.vnode(t),Te(a,t,n,e.__n,a.namespaceURI,32&n.__u?[o]:null,r,o||K(n),32&n.__u,s),t.__v=n.__v,t.__.__k[t.__i]=t,dt(r,t,s),n.__=n.__e=null,t.__e!=o&&lt(t))}function lt(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),lt(e)}function tt(e){(8&e.__g||(e.__g|=8,V.push(e),fe++))&&Se==j.debounceRendering||((Se=j.debounceRendering)||queueMicrotask)(it)}function it(){try{for(var e,t=1;V.length;)V.length>t&&V.sort(st),e=V.shift(),t=V.length,8&e.__g&&Qt(e)}finally{(fe=V.length)&&(Se||queueMicrotask)(it)}}function ct(e,t,n,o,r,s,a,i,c,_,l){var h,f,u,d,w,$,v=o.__k||he,b=t.length;for(c=Zt(n,t,v,c,b),h=0;h<b;h++)(u=n.__k[h])!=null&&(f=~u.__i&&v[u.__i]||me,u.__i=h,$=Te(e,u,f,r,s,a,i,c,_,l),d=u.__e,(f.ref!=u.ref||8&f.__u)&&(f.ref&&Ne(f.ref,null,u,f),u.ref&&l.push(u.ref,u.__c||d,u)),w=w||d,4&u.__u?(c=ut(u,c,e,!f.__v),f.__e&&(f.__e=null)):typeof u.type=="function"&&$!==void 0?c=$:d&&(c=d.nextSibling),u.__u&=-21);return n.__e=w,c}function Zt(e,t,n,o,r){var s,a,i,c,_,l,h,f,u,d=n.length,w=d,$=0,v=0,b=e.__k=Array(r);for(s=0;s<r;s++)(a=t[s])!=null&&typeof a!="boolean"&&typeof a!="function"?(typeof a!="object"||a.constructor===String?a=b[s]=oe(null,a):je(a)?a=b[s]=oe($e,{children:a}):a.constructor===se&&a.__b?a=b[s]=oe(a.type,a.props,a.key,a.ref,a.__v):b[s]=a,c=s+$,a.__=e,a.__b=e.__b+1,i=null,~(_=a.__i=en(a,n,c,w))&&(w--,(i=n[_])&&(i.__u|=2)),i&&i.__v?(a.__u|=16,_==c-1?$--:_==c+1?$++:_!=c&&(_>c?$--:$++,v=1)):(~_||(r>d?$--:r<d&&$++),typeof a.type!="function"&&(a.__u|=4))):b[s]=null;if(v){for(l=[],h=[],s=0;s<r;s++)if((a=b[s])&&16&a.__u){for($=0,f=l.length;$<f;)l[u=$+f>>1]<a.__i?$=u+1:f=u;l[$]=a.__i,h[s]=$+1}for($=l.length;s--;)h[s]&&(h[s]==$?$--:b[s].__u|=4)}if(w)for(s=0;s<d;s++)!(i=n[s])||2&i.__u||(i.__e==o&&(o=K(i)),Le(i,i));return o}function ut(e,t,n,o){var r,s,a,i;if(typeof e.type=="function"){if(e.props.__P)return t;if(r=e.__k)for(s=0;s<r.length;s++)r[s]&&(r[s].__=e,t=ut(r[s],t,n,!1));return t}for(t&&!t.parentNode&&(t=K(e))&&!t.parentNode&&(t=null),a=e.__e,i=t;i&&i.nodeType==8;)i=i.nextSibling;for(a!=i&&(!o&&n.moveBefore&&a.parentNode?n.moveBefore(a,t):n.insertBefore(a,t||null)),t=a;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function en(e,t,n,o){var r,s=e.key,a=e.type,i=t[n],c=i&&!(2&i.__u);if(i===null&&s==null||c&&s==i.key&&a==i.type)return n;if(o>(c?1:0)){for(r=n-1;r>=0;r--)if((i=t[r])&&!(2&i.__u)&&s==i.key&&a==i.type)return r;for(r=n+1;r<t.length;r++)if((i=t[r])&&!(2&i.__u)&&s==i.key&&a==i.type)return r}return-1}function nt(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}function ue(e,t,n,o,r){var s,a;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof o=="string"&&(e.style.cssText=o=""),o)for(t in o)n&&t in n||nt(e.style,t);if(n)for(t in n)o&&n[t]==o[t]||nt(e.style,t,n[t])}else if(t[0]=="o"&&t[1]=="n")typeof n!="function"&&(n=null),typeof o!="function"&&(o=null),(e.__e||(e.__e={}))[t]=n,n&&o||(a=Me[t]||(Me[t]=tn(t)),(e.__a||(e.__a={}))[t]=Pe,s=t!=(t=t.replace(at,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(t,a,s):e.removeEventListener(t,a,s));else{if(r=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function tn(e){return function(t){var n=this.__e;if(n){if(n=n[e],t[pe]==null)t[pe]=Pe++;else if(t[pe]<this.__a[e])return;return n(j.event?j.event(t):t)}}}function Te(e,t,n,o,r,s,a,i,c,_){var l,h,f,u,d,w,$,v,b,k,C,I,B,q,N,S,L,y,m=t.type;if(t.constructor!==se)return null;128&n.__u&&(c=32&n.__u,l=n.__c.__z)&&(t.__u|=c,h=s=[],l.nodeType==8?i=_e(l,s):s.push(l),i=s[0]||i),(l=j.__b)&&l(t);e:if(typeof m=="function"){f=a.length;try{if(v=t.props,b=(l=m.prototype)&&l.render,k=(l=m.contextType)&&o[l.__c],C=l?k?k.props.value:l.__:o,(u=n.__c)?(t.__c=u,2&u.__g&&(u.__g|=1)):(b?t.__c=u=new m(v,C):(t.__c=u=new de(v,C),u.constructor=m,u.render=on),k&&k.sub(u),u.state||(u.state={}),u.__n=o,u.__g|=8,u.__h=[],u.__k=[]),b&&(u.__s||(u.__s=u.state),m.getDerivedStateFromProps&&(u.__s==u.state&&(u.__s=Y({},u.__s)),Y(u.__s,m.getDerivedStateFromProps(v,u.__s)))),d=u.props,w=u.state,u.__v=t,n.__c){if(v!==d&&b&&!m.getDerivedStateFromProps&&u.componentWillReceiveProps&&u.componentWillReceiveProps(v,C),t.__v==n.__v&&!(8&u.__g)||!(4&u.__g)&&u.shouldComponentUpdate&&u.shouldComponentUpdate(v,u.__s,C)===!1){t.__v!=n.__v&&(u.props=v,u.state=u.__s,u.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.some(function(g){g&&(g.__=t)}),he.push.apply(u.__h,u.__k),u.__k=[],u.__h.length&&a.push(u),i=K(n);break e}u.componentWillUpdate&&u.componentWillUpdate(v,u.__s,C),b&&u.componentDidUpdate&&u.__h.push(function(){u.componentDidUpdate(d,w,$)})}else b&&!m.getDerivedStateFromProps&&u.componentWillMount&&u.componentWillMount(),b&&u.componentDidMount&&u.__h.push(u.componentDidMount);u.context=C,u.props=v,u.__P=e,u.__g&=-5,I=j.__r,B=b?25:0;do u.__g&=-9,I&&I(t),l=u.render(u.props,u.state=u.__s,u.context);while(8&u.__g&&++B<25);b&&(he.push.apply(u.__h,u.__k),u.__k=[]),u.state=u.__s,u.getChildContext&&(o=Y({},o,u.getChildContext())),b&&n.__c&&u.getSnapshotBeforeUpdate&&($=u.getSnapshotBeforeUpdate(d,w)),q=l&&l.type===$e&&l.key==null?l.props.children:l,v.__P&&(l=i,r=(e=v.__P).namespaceURI,c=s=null,n.props&&n.props.__P!=e&&(n.__k.some(function(g){g&&Le(g,g)}),n.__k=null),i=n.__k?K(n,0):null),i=ct(e,je(q)?q:[q],t,n,o,r,s,a,i,c,_),v.__P&&(t.__e=null,i=l),t.__u&=-161,h&&h.some(G),u.__h.length&&a.push(u),1&u.__g&&(u.__g&=-4)}catch(g){if(a.length=f,t.__v=null,c||s)if(g&&g.then){if(t.__u|=128|c,s){for(~(L=s.indexOf(i||void 0))||(L=s.length);(y=s[L-1])&&y.nodeType==8;)L--;for(;L<s.length;L++)if(y=s[L])if(s[L]=null,N){if(y==S)break}else{if(y.nodeType!=8)break;y.data.startsWith("$s")&&(S=_e(N=y))}}if(!N){for(;i&&i.nodeType==8&&i.nextSibling;)i=i.nextSibling;N=i}(l=_e(N=t.__c.__z||(t.__c.__z=N)))?(t.__e=N,i=l):t.__e=i,i=i&&i.nextSibling}else s&&s.some(G);else t.__e=n.__e;t.__k||(t.__k=n.__k||[]),g&&g.then||pt(t),j.__e(g,t,n)}}else i=t.__e=nn(n.__e,t,n,o,r,s,a,c,_,e);return(l=j.diffed)&&l(t),i}function _e(e,t){if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function pt(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(pt))}function dt(e,t,n){for(var o=0;o<n.length;)Ne(n[o++],n[o++],n[o++]);j.__c&&j.__c(t,e),e.some(function(r){try{e=r.__h,r.__h=[],e.some(function(s){s.call(r)})}catch(s){j.__e(s,r.__v)}})}function nn(e,t,n,o,r,s,a,i,c,_){var l,h,f,u,d,w,$,v,b=n.props||me,k=t.props,C=t.type;if(C=="svg"?r="http://www.w3.org/2000/svg":C=="math"?r="http://www.w3.org/1998/Math/MathML":r||(r="http://www.w3.org/1999/xhtml"),s){for(l=0;l<s.length;l++)if((d=s[l])&&(C?d.localName==C:d.nodeType==3)){e=d,s[l]=null;break}}if(!e){if(v=_.ownerDocument||document,!C)return v.createTextNode(k);e=v.createElementNS(r,C,k.is?k:_),i&&(j.__m&&j.__m(t,s),i=!1),s=null}if(C){if(_=C=="template"&&e.content||e,s=C=="textarea"&&k.defaultValue!=null?null:s&&Ee.call(_.childNodes),!i&&s)for(b={},l=0;l<e.attributes.length;l++)b[(d=e.attributes[l]).name]=d.value;for(l in b)d=b[l],l=="dangerouslySetInnerHTML"?f=d:l=="children"||l in k||l=="value"&&"defaultValue"in k||l=="checked"&&"defaultChecked"in k||ue(e,l,null,d,r);for(l in k)d=k[l],l=="children"?u=d:l=="dangerouslySetInnerHTML"?h=d:l=="value"?w=d:l=="checked"?$=d:i&&typeof d!="function"||b[l]===d||ue(e,l,d,b[l],r);h?(i||f&&(h.__html==f.__html||h.__html==e.innerHTML)||(e.innerHTML=h.__html),t.__k=[]):(f&&(e.textContent=""),(C=="foreignObject"||r=="http://www.w3.org/1998/Math/MathML"&&Yt.test(C))&&(r="http://www.w3.org/1999/xhtml"),ct(_,je(u)?u:[u],t,n,o,r,s,a,s?s[0]:n.__k&&K(n,0),i,c),s&&s.some(G)),i&&C!="textarea"||(l="value",C=="progress"&&w==null?e.removeAttribute(l):w==null||w===e[l]&&(C!="progress"||w)||ue(e,l,w,b[l],r),l="checked",$!=null&&$!=e[l]&&ue(e,l,$,b[l],r))}else b===k||i&&e.data==k||(e.data=k);return e}function Ne(e,t,n,o){try{typeof e=="function"?t?t.__x=e(t)||1:o&&(o=o.__c||o.__e)&&(t=o.__x)&&(o.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(r){j.__e(r,n)}}function Le(e,t,n){var o,r,s,a;if(j.unmount&&j.unmount(e),!(o=e.ref)||o.current&&o.current!=e.__e||Ne(o,null,t,e),o=e.__c){if(o.componentWillUnmount)try{o.componentWillUnmount()}catch(i){j.__e(i,t)}o.__P=o.__n=null}if(o=e.__k)for(a=0;a<o.length;a++)o[a]&&Le(o[a],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(o=e.__c)&&(o=o.__z)&&(r=_e(o,s=[]))&&(o==e.__e&&s.some(G),G(r),G(o)),n||G(e.__e),e.__e=e.__c=e.__=null}function on(e,t,n){return this.constructor(e,n)}function De(e,t){var n,o,r,s;j.__&&j.__(e,t),t.nodeType==9&&(t=t.documentElement),o=(n=e&&32&e.__u)?null:t.__k,t.__k=oe($e,{children:[e]}),r=[],s=[],Te(t,t.__k,o||me,me,t.namespaceURI,o?null:t.firstChild?Ee.call(t.childNodes):null,r,o?o.__e:t.firstChild,n,s),dt(r,t.__k,s),t.__k.props.children=null}j={__e:function(e,t,n,o){for(var r,s,a;t=t.__;)if((r=t.__c)&&!(1&r.__g)){r.__g|=4;try{if((a=(s=r.constructor)&&s.getDerivedStateFromError)&&r.setState(s.getDerivedStateFromError(e)),r.componentDidCatch&&(r.componentDidCatch(e,o||{}),a=1),a&&8&r.__g)return void(r.__g|=2)}catch(i){e=i}}throw fe=0,e}},ot=0,Xt=function(e){return e!=null&&e.constructor===se},de.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=Y({},this.state)),typeof e=="function"&&(e=e(Y({},n),this.props)),e&&(Y(n,e),this.__v&&(t&&this.__k.push(t),tt(this)))},de.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),tt(this))},de.prototype.render=$e,V=[],fe=0,st=function(e,t){return e.__v.__b-t.__v.__b},pe=Symbol(),at=/(PointerCapture)$|Capture$/i,Pe=0,Me={},Gt=0;var re,R,Oe,_t,Re=Object.is,be=0,wt=[],Ue=[],O=j,ft=O.__b,mt=O.__r,ht=O.diffed,$t=O.__c,bt=O.unmount,gt=O.__;function Ie(e,t){O.__h&&O.__h(R,e,be||t),be=0;var n=R.__H||(R.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function x(e){return be=1,sn(kt,e)}function sn(e,t,n){var o=Ie(re++,2);if(o.t=e,!o.__c&&(o.__=[n?n(t):kt(void 0,t),function(s){var a=(o.__N||o.__)[0],i=o.t(a,s);Re(a,i)||(o.__N=[i,o.__[1]],o.__c.setState({}))}],o.__c=R,!R.__f)){R.__f=!0;var r=R.shouldComponentUpdate;R.shouldComponentUpdate=function(s,a,i){var c=this.__H;if(!c)return!0;var _=!1,l=this.props!=s;if(c.__.some(function(f){f.__N&&(_=!0,Re(f.__[0],f.__N[0])||(l=!0))}),r){var h=r.call(this,s,a,i);return _?h||l:h}return!_||l}}return o.__}function M(e,t){var n=Ie(re++,3);!O.__s&&xt(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,R.__H.__h.push(n))}function W(e){return be=5,He(function(){return{current:e}},[])}function He(e,t){var n=Ie(re++,7);return xt(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function an(){var e;do{for(;e=Ue.shift();)try{ae(e)}catch(n){O.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=wt.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(ae),t.__h.some(Ae),t.__h=[]}catch(n){t.__h=[],O.__e(n,e.__v)}}}while(Ue.length)}O.__b=function(e){R=null,ft&&ft(e)},O.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),gt&&gt(e,t)},O.__r=function(e){mt&&mt(e),re=0;var t=(R=e.__c).__H;t&&(Oe==R?R.__h=[]:(t.__h.some(ae),t.__h.some(Ae),re=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=n.__N),n.u=n.__N=void 0})),Oe=R},O.diffed=function(e){ht&&ht(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&vt(wt.push(t)),t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),Oe=R=null},O.__c=function(e,t){t.some(function(n){try{n.__h.some(ae),n.__h=n.__h.filter(function(o){return!o.__||Ae(o)})}catch(o){n.__h=[function(){throw o}]}}),$t&&$t(e,t)},O.unmount=function(e){bt&&bt(e);var t,n,o=e.__c;o&&o.__H&&(o.__H.__.some(function(r){try{if(r.__P&&r.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||!n.__c.__P);)n=n.__;n=n&&n.__c}r.__P=n,vt(Ue.push(r))}else ae(r)}catch(s){t=s}}),o.__H=void 0,t&&O.__e(t,o.__v))};var yt=typeof requestAnimationFrame=="function";function rn(e){var t,n=function(){clearTimeout(o),yt&&cancelAnimationFrame(t),setTimeout(e)},o=setTimeout(n,35);yt&&(t=requestAnimationFrame(n))}function vt(e){e!=1&&_t==O.requestAnimationFrame||((_t=O.requestAnimationFrame)||rn)(an)}function ae(e){var t=R,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),R=t}function Ae(e){var t=R;e.__c=e.__(),R=t}function xt(e,t){return!e||e.length!=t.length||t.some(function(n,o){return!Re(n,e[o])})}function kt(e,t){return typeof t=="function"?t(e):t}var St=function(e,t,n,o){var r;t[0]=0;for(var s=1;s<t.length;s++){var a=t[s++],i=t[s]?(t[0]|=a?1:2,n[t[s++]]):t[++s];a===3?o[0]=i:a===4?o[1]=Object.assign(o[1]||{},i):a===5?(o[1]=o[1]||{})[t[++s]]=i:a===6?o[1][t[++s]]+=i+"":a?(r=e.apply(i,St(e,i,n,["",null])),o.push(r),i[0]?t[0]|=2:(t[s-2]=0,t[s]=r)):o.push(i)}return o},Ct=new Map;function Mt(e){var t=Ct.get(this);return t||(t=new Map,Ct.set(this,t)),(t=St(this,t.get(e)||(t.set(e,t=(function(n){for(var o,r,s=1,a="",i="",c=[0],_=function(f){s===1&&(f||(a=a.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?c.push(0,f,a):s===3&&(f||a)?(c.push(3,f,a),s=2):s===2&&a==="..."&&f?c.push(4,f,0):s===2&&a&&!f?c.push(5,0,!0,a):s>=5&&((a||!f&&s===5)&&(c.push(s,0,a,r),s=6),f&&(c.push(s,f,0,r),s=6)),a=""},l=0;l<n.length;l++){l&&(s===1&&_(),_(l));for(var h=0;h<n[l].length;h++)o=n[l][h],s===1?o==="<"?(_(),c=[c],s=3):a+=o:s===4?a==="--"&&o===">"?(s=1,a=""):a=o+a[0]:i?o===i?i="":a+=o:o==='"'||o==="'"?i=o:o===">"?(_(),s=1):s&&(o==="="?(s=5,r=a,a=""):o==="/"&&(s<5||n[l][h+1]===">")?(_(),s===3&&(c=c[0]),s=c,(c=c[0]).push(2,0,s),s=0):o===" "||o==="	"||o===`
`||o==="\r"?(_(),s=2):a+=o),s===3&&a==="!--"&&(s=4,c=c[0])}return _(),c})(e)),t),arguments,[])).length>1?t:t[0]}var p=Mt.bind(rt);var J=window.convvizShared??={chunks:new Map,received:new Map};window.convvizChunk=(e,t)=>J.received.set(e,t);var X=document.documentElement.dataset.root??"",le=e=>e.startsWith("data:image/")?e:X+e.split("/").map(encodeURIComponent).join("/");function ie(e){if(!J.chunks.has(e)){let t=new Promise((n,o)=>{let r=document.createElement("script");r.src=le(`data/${e}.js`);let s=()=>{J.chunks.delete(e),o(new Error(`data/${e}.js cannot be read`))};r.onerror=s,r.onload=()=>{if(r.remove(),!J.received.has(e))return s();n(J.received.get(e)),J.received.delete(e)},document.head.append(r)});J.chunks.set(e,t)}return J.chunks.get(e)}var ye=()=>ie("site");function We(e,t){let[n,o]=x({});return M(()=>{let r=!0;return e().then(s=>r&&o({value:s}),s=>r&&o({error:s})),()=>r=!1},t),[n.value,n.error]}var ge=()=>Object.fromEntries(new URLSearchParams(location.hash.slice(1)));function ln(e){let t=new URLSearchParams(location.hash.slice(1));for(let[n,o]of Object.entries(e))o==null||o===""?t.delete(n):t.set(n,o);return`#${t}`}function D(e,{replace:t=!1}={}){let n=ln(e);n===location.hash||n==="#"&&!location.hash||(history[t?"replaceState":"pushState"](null,"",n),window.dispatchEvent(new Event("convviz:state")))}function cn(e){let t=["convviz:state","hashchange","popstate"];for(let n of t)window.addEventListener(n,e);return()=>t.forEach(n=>window.removeEventListener(n,e))}function Pt(){let[e,t]=x(ge);return M(()=>cn(()=>t(ge())),[]),e}async function Be(e){let{block:t}=await ye(),n=Math.floor(e/t),o=await ie(`items-${String(n).padStart(3,"0")}`);return qe(o,e)}function qe(e,t){let n=t-e.start,o=r=>r?.[n]??null;return{row:t,name:e.names[n],label:o(e.labels),predicted:o(e.predicted),probability:o(e.probability),correct:o(e.correct),size:o(e.sizes),preview:o(e.previews),thumb:e.thumbs&&{...e.thumbs,index:n}}}function Fe({tile:e,size:t,label:n="",className:o=""}){if(!e)return p`<span class="tile missing ${o}" style=${{width:Q(t),height:Q(t)}}></span>`;let r=t/e.tile,s=e.index%e.columns*t,a=Math.floor(e.index/e.columns)*t,i={width:Q(t),height:Q(t),backgroundImage:`url("${le(e.atlas)}")`,backgroundPosition:`-${Q(s)} -${Q(a)}`,backgroundSize:`${Q(e.columns*e.tile*r)} auto`};return p`<span class="tile ${o}" style=${i} ...${n?{role:"img","aria-label":n}:{"aria-hidden":"true"}}></span>`}function jt({row:e,size:t=64}){let[n]=We(()=>Be(e),[e]);return p`<${Fe} tile=${n?.thumb} size=${t} label=${n?.name??""} />`}var Et=e=>`${le("image.html")}#id=${e}`,Q=e=>`${Math.round(e*1e3)/1e3}px`;function T(e,t=3){return e==null||Number.isNaN(e)?"–":e!==0&&(Math.abs(e)>=1e6||Math.abs(e)<.001)?e.toExponential(t-1):String(Number(e.toPrecision(t)))}function Z(e){if(e==null)return"–";let t=e*100;return t===0||t===100?`${t} %`:`${t<10?Number(t.toPrecision(t<1?1:2)):Math.min(99.9,Number(t.toFixed(1)))} %`}async function un(e){try{await navigator.clipboard.writeText(e)}catch{let t=document.createElement("textarea");t.value=e,t.className="offscreen",document.body.append(t),t.select(),document.execCommand("copy"),t.remove()}}function U({text:e,children:t}){let[n,o]=x(!1);return p`<button type="button" class="quiet" onClick=${async()=>{await un(typeof e=="function"?e():e),o(!0),setTimeout(()=>o(!1),1500)}}>
    ${n?"Copied":t}<span class="offscreen" aria-live="polite">${n?"copied":""}</span>
  </button>`}var Tt=()=>{document.body.dataset.ready="true"};async function ze(e){let t=null;try{t=await e.json()}catch{}if(!e.ok)throw new Error(t?.error??`the server answered ${e.status}`);return t}var we=async e=>ze(await fetch(`${X}api/${e}`)),z=async(e,t={})=>ze(await fetch(`${X}api/${e}`,{method:"POST",headers:{"Content-Type":"application/json"},body:JSON.stringify(t)}));async function Nt(e){let t=new FormData;return t.append("photo",e,e.name||"pasted photo"),ze(await fetch(`${X}api/photos`,{method:"POST",body:t}))}async function A(e,t,n){let o=await z("answers",{model:e,task:t,arguments:n});if(o.status!=="done")throw new Error(o.error||`the job was ${o.status}`);return o}async function xe(e,t,n,o){let r=await z("jobs",{model:e,task:t,arguments:n}),s=new EventSource(`${X}api/jobs/${r.id}/events`);s.addEventListener("progress",i=>o(JSON.parse(i.data)));let a=!1;return s.addEventListener("end",i=>{a=!0,o(JSON.parse(i.data))}),s.onerror=()=>{s.close(),a||o({...r,status:"failed",error:"the connection to the server was lost"})},o(r),r.id}var Lt=e=>z(`jobs/${e}/cancel`),ve=new Map;function ke(e){if(!ve.has(e)){let t=A(e,"model",{}).then(n=>n.result);t.catch(()=>ve.delete(e)),ve.set(e,t)}return ve.get(e)}async function Dt(e){let t=await fetch(e);if(!t.ok)throw new Error("the numbers of the map are no longer kept: run it again");return new Float32Array(await t.arrayBuffer())}var Ve=60;function Ot({photo:e,site:t,pages:n,onOpen:o,onError:r}){let s=W(),[a,i]=x(!1),[c,_]=x(!1),l=async u=>{_(!0);try{o(await u),r(null)}catch(d){r(d)}_(!1)},h=u=>{let d=[...u??[]].find(w=>w.size);d&&l(Nt(d))};M(()=>{let u=d=>d.clipboardData?.files?.length&&h(d.clipboardData.files);return document.addEventListener("paste",u),()=>document.removeEventListener("paste",u)},[]);let f=(u,d)=>{u.preventDefault(),i(d)};return p`<section class="card" aria-label="Photo">
    <div
      class="drop ${a?"over":""} ${e?"":"empty"}"
      onDragOver=${u=>f(u,!0)}
      onDragLeave=${u=>f(u,!1)}
      onDrop=${u=>{f(u,!1),h(u.dataTransfer.files)}}
    >
      ${e?p`<img src=${`api/photos/${e.id}.jpg`} alt=${e.name} class=${e.width<=64?"crisp":""} />`:p`<p><b>Drop a photo here</b><br /><span class="muted">or paste it, or choose one below</span></p>`}
    </div>
    ${e&&p`<p class="photo-name"><b>${e.name}</b> <span class="muted">${e.width} × ${e.height}</span></p>`}
    <div class="bar-of-controls">
      <button type="button" onClick=${()=>s.current.click()} disabled=${c}>
        ${c?"Opening…":"Choose a file"}
      </button>
      <input ref=${s} type="file" accept="image/*" class="offscreen" aria-label="Photo file" tabindex="-1"
        onChange=${u=>{h(u.target.files),u.target.value=""}} />
    </div>
    <${pn} site=${t} pages=${n} chosen=${e?.row} onChoose=${u=>l(z("rows",{row:u}))} />
  </section>`}function pn({site:e,pages:t,chosen:n,onChoose:o}){let[r,s]=x([]),[a,i]=x(""),c=e?.count??0;M(()=>{c&&ie("items-000").then(d=>s([d]),()=>{})},[c]);let _=He(()=>r.flatMap(d=>d.names.map((w,$)=>qe(d,d.start+$))),[r]),l=async()=>{let d=await ie(`items-${String(r.length).padStart(3,"0")}`);s([...r,d])};if(t&&!c)return p`<p class="muted small" role="status">The images of the run appear here when its pages have been written.
      ${t.progress.total?` ${Math.round(100*t.progress.done/t.progress.total)} %`:""}</p>`;if(!c)return null;let h=a.toLowerCase().split(/\s+/).filter(Boolean),f=d=>`${d.name} ${e.classes[d.label]??""} ${e.outputs[d.predicted]??""}`.toLowerCase(),u=_.filter(d=>h.every(w=>f(d).includes(w)));return p`<div class="picker">
    <input type="search" value=${a} placeholder=${`Search ${c} images of the run`} aria-label="Search the images of the run"
      onInput=${d=>i(d.target.value)} />
    <div class="thumbs" tabindex="-1">
      ${u.slice(0,Ve).map(d=>p`<button type="button" key=${d.row} aria-pressed=${d.row===n}
          title=${d.name} aria-label=${d.name} onClick=${()=>o(d.row)}><${Fe} tile=${d.thumb} size=${52} /></button>`)}
    </div>
    <p class="small muted">${u.length} of ${_.length}${u.length>Ve?`, the first ${Ve} shown`:""}
      ${_.length<c&&p` <button type="button" class="quiet" onClick=${l}>Load more</button>`}</p>
  </div>`}function Rt(e,t,n){let[o,r]=x(null);return M(()=>{let s=!0;return r(null),t&&A(e,"predict",{photo:t.id}).then(a=>s&&r(a),a=>s&&n(a)),()=>s=!1},[e,t?.id]),o}function Ce({classes:e,chosen:t,onChoose:n,caption:o}){return p`<ol class="classes" aria-label=${o}>
    ${e.map(r=>{let s=r.probability??0;return p`<li key=${r.index}>
        <button type="button" aria-pressed=${t===r.label} disabled=${!n} onClick=${()=>n?.(r.label)}>
          <span class="name">${r.label}</span>
          <span class="value">${r.probability===null?T(r.score):Z(s)}</span>
          <span class="bar" aria-hidden="true"><i style=${{width:`${100*s}%`}}></i></span>
        </button>
      </li>`})}
  </ol>`}var dn=12;function Ut(e){let t=(e??"").split(",").map(Number);return t.length===4&&t.every(Number.isInteger)?t:null}function At({model:e,photo:t,state:n,job:o,onError:r}){let s=W(),[a,i]=x(null),[c,_]=x(null),[l,h]=x(null),[f,u]=x([]),[d,w]=x(""),$=W(0),v=c?.box??Ut(n.box),b=n.target??"",k=async m=>{let g=++$.current,P=performance.now();try{let{result:E}=await A(e,"cover",{photo:t.id,box:m,target:b});if(g!==$.current)return;let H=performance.now()-P;h({...E,box:m,latency:H}),u(F=>[{...E,box:m},...F.filter(ce=>ce.box.join()!==m.join())].slice(0,dn)),r(null)}catch(E){g===$.current&&r(E)}};if(M(()=>{h(null),u([])},[t?.id,e,b]),M(()=>{t&&o&&A(e,"prepare_cover",{photo:t.id}).catch(r)},[t?.id,e,!!o]),M(()=>{let m=Ut(n.box);t&&a&&m&&k(m)},[t?.id,e,b,n.box,!!a]),!t)return p`<p class="card muted">Choose a photo first.</p>`;if(!o)return p`<p class="card muted" role="status">Running the model…</p>`;let C=m=>{let g=s.current.getBoundingClientRect(),P=(E,H)=>Math.round(Math.min(1,Math.max(0,E))*H);return[P((m.clientX-g.left)/g.width,a[0]),P((m.clientY-g.top)/g.height,a[1])]},I=([m,g],[P,E])=>{let H=Math.min(m,P,a[0]-1),F=Math.min(g,E,a[1]-1);return[H,F,Math.max(m,P,H+1),Math.max(g,E,F+1)]},B=m=>{if(m.button!==0||!a)return;m.preventDefault(),s.current.focus(),s.current.setPointerCapture(m.pointerId);let g=C(m);_({from:g,box:I(g,g)})},q=m=>c&&_({...c,box:I(c.from,C(m))}),N=m=>{if(!c)return;let g=I(c.from,C(m));_(null),g.join()===n.box&&k(g),D({box:g.join()})},S=m=>{let g={ArrowLeft:[-1,0],ArrowRight:[1,0],ArrowUp:[0,-1],ArrowDown:[0,1]};if(!g[m.key]||!a)return;m.preventDefault();let P=Math.max(1,Math.round(a[0]/32)),[E,H]=g[m.key].map(Jt=>Jt*P),[F,ce,Xe,Ge]=v??[a[0]*.375,a[1]*.375,a[0]*.625,a[1]*.625].map(Math.round),te=m.shiftKey?[F,ce,Xe+E,Ge+H]:[F+E,ce+H,Xe+E,Ge+H],Ye=Math.max(1,Math.min(a[0],te[2]-te[0])),Qe=Math.max(1,Math.min(a[1],te[3]-te[1])),Ze=Math.min(a[0]-Ye,Math.max(0,te[0])),et=Math.min(a[1]-Qe,Math.max(0,te[1]));D({box:[Ze,et,Ze+Ye,et+Qe].join()},{replace:!0})},L=()=>xe(e,"prepare_cover",{photo:t.id,exports:!0},m=>{w(m.status==="running"||m.status==="queued"?"preparing…":m.result?.reason||m.error||"ready")}).catch(r),y=([m,g,P,E])=>({left:`${100*m/a[0]}%`,top:`${100*g/a[1]}%`,width:`${100*(P-m)/a[0]}%`,height:`${100*(E-g)/a[1]}%`});return p`<div class="split">
    <section class="card">
      <h2>Cover a part of the photo</h2>
      <p class="note">Drag a rectangle. It is filled with the mean colour, and the score is computed exactly.
        With the keyboard: arrows move it, <kbd>Shift</kbd> and arrows resize it.</p>
      <div class="cover-stage" ref=${s} tabindex="0" role="application" aria-label="Photo: drag a rectangle, or use the arrow keys"
        onPointerDown=${B} onPointerMove=${q} onPointerUp=${N} onPointerCancel=${()=>_(null)} onKeyDown=${S}>
        <img src=${o.files["photo.png"]} alt=${t.name} draggable=${!1}
          class=${a&&a[0]<=64?"crisp":""} onLoad=${m=>i([m.target.naturalWidth,m.target.naturalHeight])} />
        ${a&&v&&p`<span class="rectangle" style=${y(v)}></span>`}
      </div>
    </section>
    <section class="card stack" aria-live="polite">
      <h2>Score</h2>
      ${l?p`<${_n} answer=${l} />`:p`<p class="muted">No rectangle yet.</p>`}
      ${l&&p`<div><h3>Most probable classes with it covered</h3><${Ce} classes=${l.top} caption="Classes with the rectangle covered" /></div>
        <p class="small muted" id="latency" data-latency=${l.latency} data-seconds=${l.seconds} data-pass=${l.full_pass}>
          ${`${Math.round(l.latency)} ms from the mouse to the number; `}
          ${l.incremental?"only what the rectangle changes was computed":"one full forward pass"}
          ${` in ${T(1e3*l.seconds,2)} ms (a full pass: ${T(1e3*l.full_pass,2)} ms). `}
          ${l.may_be_faster&&!d&&p`<button type="button" class="quiet" onClick=${L}>Prepare the incremental engine</button>`}
          ${d&&p`<span role="status"> Incremental engine: ${d}.</span>`}</p>
        <p class="actions"><${U} text=${l.python}>Copy Python</${U}></p>`}
      ${f.length>1&&p`<div><h3>Rectangles so far</h3><ol class="history">${[...f].sort((m,g)=>m.after-g.after).map(m=>p`<li key=${m.box.join()}>
        <button type="button" class="quiet" onClick=${()=>D({box:m.box.join()})}>${m.box.join(", ")}</button>
        <span class="number">${It(m.after-m.before)}</span></li>`)}</ol></div>`}
    </section>
  </div>`}var It=e=>`${e<0?"−":"+"}${T(Math.abs(e),3)}`;function _n({answer:e}){let t=e.after-e.before;return p`<dl class="facts score-facts">
    <div><dt>${e.label}: score</dt><dd id="covered-score">${T(e.after,4)} <span class=${t<0?"down":"up"}>${It(t)}</span></dd></div>
    <div><dt>Unchanged photo</dt><dd>${T(e.before,4)}</dd></div>
    ${e.probability_after!==null&&p`<div><dt>Probability</dt><dd>${Z(e.probability_before)} → ${Z(e.probability_after)}</dd></div>`}
  </dl>`}function fn(e){let t=(e.anyOf??[e]).filter(n=>n.type!=="null");return t.length===1?{...e,...t[0]}:{}}function mn({field:e,value:t,onChange:n,layers:o}){let r=fn(e.schema),s=`parameter-${e.name}`,a={id:s,"aria-describedby":`${s}-about`,onChange:_=>n(_.target.value)},i=`default: ${e.default}`,c;if(r.enum||r.type==="boolean"){let _=r.enum??["true","false"];c=p`<select ...${a} value=${t}>
      <option value="">${i}</option>
      ${_.map(l=>p`<option value=${String(l)}>${String(l)}</option>`)}
    </select>`}else if(r.type==="integer"||r.type==="number"){let _=r.type==="integer"?1:"any",l=r.minimum??r.exclusiveMinimum,h=r.maximum??r.exclusiveMaximum;c=p`<input type="number" ...${a} value=${t} placeholder=${i} step=${_} min=${l} max=${h} />`}else{let _=["layer","layers"].includes(e.name)?"layer-names":void 0;c=p`<input type="text" ...${a} value=${t} placeholder=${i} list=${_} />`}return p`<div class="parameter">
    <label for=${s}>${e.name}</label>
    ${c}
    <p id=${`${s}-about`} class="small muted">${e.description} <span class="allowed">${e.allowed}</span></p>
  </div>`}function Ht({explainer:e,values:t,onChange:n,layers:o}){let r=Object.keys(t).length,[s,a]=x(r>0);return p`<details class="parameters" open=${s} onToggle=${i=>a(i.currentTarget.open)}>
    <summary>Parameters of ${e.name}${r?` (${r} changed)`:""}</summary>
    <datalist id="layer-names">${o.map(i=>p`<option value=${i.name}></option>`)}</datalist>
    <div class="grid-of-parameters">
      ${e.fields.map(i=>p`<${mn} key=${`${e.name}.${i.name}`} field=${i} layers=${o}
        value=${t[i.name]??""} onChange=${c=>n(i.name,c)} />`)}
    </div>
  </details>`}var Wt=255,Bt=e=>e.match(/../g).map(t=>parseInt(t,16));function hn(e,t,n,o,r){let{width:s,height:a}=t;e.width=s,e.height=a;let i=new ImageData(s,a),c=Bt(t.colours),_=c.length/3-1,[l,h]=o;for(let f=0;f<n.length;f++){let u=n[f];if(Number.isNaN(u))continue;let d=Math.min(1,Math.max(0,(u-l)/(h-l||1))),w=3*Math.round(d*_);i.data.set(c.slice(w,w+3),4*f);let $=t.signed?Math.min(1,Math.abs(u)/h):d;i.data[4*f+3]=r?Math.round(Wt*$):Wt}e.getContext("2d").putImageData(i,0,0)}function ee({photo:e,map:t,mapFile:n,imageFile:o,view:r,range:s,cursor:a,onCursor:i,onPick:c,label:_,children:l}){let h=W(),[f,u]=x(null);M(()=>{let k=!0;return u(null),Dt(n).then(C=>k&&u(C),()=>{}),()=>k=!1},[n]);let d=s??[t.low,t.high];M(()=>{!f||o||hn(h.current,t,f,d,r.layer==="overlay")},[f,r.layer,d[0],d[1]]);let w=k=>{let C=k.currentTarget.getBoundingClientRect(),I=B=>Math.min(.9999,Math.max(0,B));return[I((k.clientX-C.left)/C.width),I((k.clientY-C.top)/C.height)]},$=f&&a?f[Ke(t,a).index]:null,v={opacity:r.layer==="photo"?0:r.layer==="map"?1:r.opacity,imageRendering:r.smooth?"auto":"pixelated"},b=o?p`<img class="over" src=${o} alt="" style=${v} />`:p`<canvas class="over" ref=${h} style=${v}></canvas>`;return p`<div class="map-view">
    <div
      class="map-stage ${c?"pickable":""}"
      onPointerMove=${k=>i(w(k))}
      onPointerLeave=${()=>i(null)}
      onClick=${c&&(k=>c(Ke(t,w(k))))}
    >
      <img src=${e} alt=${_} />
      ${b}
      ${a&&p`<span class="cross-x" style=${{left:`${a[0]*100}%`}}></span>
        <span class="cross-y" style=${{top:`${a[1]*100}%`}}></span>`}
      ${l}
    </div>
    <${bn} map=${t} range=${d} hidden=${!!o} />
    <p class="readout" aria-live="off">
      ${a&&f?p`<b>${T($,4)}</b> ${t.unit} at ${$n(t,a)}`:p`<span class="muted">${t.unit}</span>`}
    </p>
  </div>`}function Ke(e,[t,n]){let o=Math.floor(t*e.width),r=Math.floor(n*e.height);return{row:r,column:o,index:r*e.width+o}}function $n(e,t){let{row:n,column:o}=Ke(e,t);return`row ${n}, column ${o}`}function bn({map:e,range:t,hidden:n}){let o=W();if(M(()=>{if(n)return;let s=Bt(e.colours),a=s.length/3,i=new ImageData(a,1);for(let c=0;c<a;c++)i.data.set([...s.slice(3*c,3*c+3),255],4*c);o.current.width=a,o.current.height=1,o.current.getContext("2d").putImageData(i,0,0)},[e.colours,n]),n)return p`<p class="legend-words">Mid-grey is zero; a tint shows which channels are above or below zero.</p>`;let r=e.signed?`${T(t[0])} blue, 0 white, ${T(t[1])} red`:`${T(t[0])} dark, ${T(t[1])} bright`;return p`<div class="legend" role="img" aria-label=${`Colours: ${r}`}>
    <span>${T(t[0])}</span><canvas ref=${o}></canvas><span>${T(t[1])}</span>
  </div>`}var gn=24,yn=0;function vn(e){let[t,n]=x(null);return M(()=>{A(0,"explainers",{}).then(r=>n(r.result),e)},[]),[t,async r=>{try{let{result:s}=await A(0,"explainers",{family:r});n(a=>({...a,explainers:[...a.explainers,...s.explainers],families:a.families.filter(i=>i!==r)}))}catch(s){e(s)}}]}var wn=e=>Object.fromEntries(Object.entries(e).filter(([t])=>t.startsWith("p.")).map(([t,n])=>[t.slice(2),n]));function qt({models:e,model:t,photo:n,state:o,prediction:r,onError:s}){let[a,i]=vn(s),[c,_]=x(null),[l,h]=x([]),[f,u]=x({layer:"overlay",opacity:.8,smooth:!1,shared:!1}),[d,w]=x(!1),[$,v]=x(null);if(M(()=>{ke(t).then(_,s)},[t]),M(()=>{let y=P=>P.target.matches?.("input, textarea, select, button, summary, a"),m=P=>{P.key!==" "||y(P)||(P.preventDefault(),w(!0))},g=P=>P.key===" "&&w(!1);return document.addEventListener("keydown",m),document.addEventListener("keyup",g),()=>{document.removeEventListener("keydown",m),document.removeEventListener("keyup",g)}},[]),!a)return p`<p class="card muted" role="status">Loading the model and its explainers…</p>`;let b=a.explainers.find(y=>y.name===o.explainer)??a.explainers.find(y=>y.name==="occlusion")??a.explainers[0],k=wn(o),C=(y,m)=>h(g=>g.map(P=>P.key===y?{...P,...m}:P)),I=async(y,m)=>{let g=++yn,P={key:g,model:y,explainer:b.name,photo:n,target:m,job:null};h(E=>[P,...E].slice(0,gn));try{let E=b.needs_image,H={explainer:b.name,parameters:k,target:m,photo:E?n.id:null};await xe(y,"explain",H,F=>C(g,{job:F}))}catch(E){C(g,{job:{status:"failed",error:E.message,progress:{}}})}},B=y=>{y.preventDefault();let m=o.run==="classes"&&r?r.map(P=>String(P.index)).slice(0,3):[o.target??""],g=o.run==="models"?e.map((P,E)=>E):[t];for(let P of g)for(let E of m)I(P,E)},q=Je(a.explainers,y=>y.distribution),N=b.needs_image&&!n,S=d?{...f,layer:"photo"}:f,L=f.shared?xn(l):new Map;return p`<div class="stack">
    <form class="card explain-form" onSubmit=${B}>
      <div class="bar-of-controls">
        <label class="field">Explainer
          <select name="explainer" value=${b.name} onChange=${y=>{if(y.target.value.startsWith("+"))return i(y.target.value.slice(1));let m=Object.fromEntries(Object.keys(k).map(g=>[`p.${g}`,null]));return D({...m,explainer:y.target.value})}}>
            ${[...q].map(([y,m])=>p`<optgroup label=${y}>
              ${m.map(g=>p`<option value=${g.name}>${g.name}</option>`)}</optgroup>`)}
            ${a.families.length>0&&p`<optgroup label="load more">
              ${a.families.map(y=>p`<option value=${`+${y}`}>${y}.…</option>`)}</optgroup>`}
          </select></label>
        ${b.uses_target&&p`<label class="field">Target
          <input type="text" name="target" list="targets" value=${o.target??""} placeholder="the most probable class"
            onChange=${y=>D({target:y.target.value})} /></label>
          <datalist id="targets">${(c?.labels??[]).slice(0,2e3).map(y=>p`<option value=${y}></option>`)}</datalist>`}
        ${b.uses_target&&p`<label class="field">Run for
          <select name="run" value=${o.run??""} onChange=${y=>D({run:y.target.value})}>
            <option value="">this target</option>
            <option value="classes">the three most probable classes</option>
            ${e.length>1&&p`<option value="models">all models</option>`}
          </select></label>`}
        <button type="submit" class="primary" disabled=${N}>Run</button>
        ${N&&p`<span class="muted small">Choose a photo first.</span>`}
      </div>
      <p class="note">${b.summary} <span class="badge">${b.distribution||"this session"}</span>
        ${b.needs_run&&p` Write <code>@run</code> for the run that is open.`}</p>
      <${Ht} explainer=${b} values=${k} layers=${c?.layers??[]}
        onChange=${(y,m)=>D({[`p.${y}`]:m})} />
    </form>
    ${Object.entries(a.unavailable).map(([y,m])=>p`<p class="note">${y}: ${m}</p>`)}
    ${l.length>0&&p`<${kn} view=${f} onChange=${u} count=${l.length} onClear=${()=>h([])} />`}
    <div class="cards" role="list" aria-label="Results">
      ${l.map(y=>p`<${Cn} key=${y.key} card=${y} models=${e} view=${S}
        range=${L.get(y.key)} cursor=${$} onCursor=${v} onError=${s}
        onRemove=${()=>h(m=>m.filter(g=>g.key!==y.key))} />`)}
    </div>
    <${jn} cards=${l} />
  </div>`}function Je(e,t){let n=new Map;for(let o of e){let r=t(o)||"this session";n.set(r,[...n.get(r)??[],o])}return n}function xn(e){let t=e.filter(o=>o.job?.result?.map&&!o.job.files["map.png"]),n=new Map;for(let[,o]of Je(t,r=>`${r.job.result.map.unit}|${r.job.result.map.signed}`)){let r=Math.min(...o.map(a=>a.job.result.map.low)),s=Math.max(...o.map(a=>a.job.result.map.high));for(let a of o)n.set(a.key,[r,s])}return n}function kn({view:e,onChange:t,count:n,onClear:o}){let r=a=>t({...e,...a}),s=(a,i)=>p`<button type="button" aria-pressed=${e.layer===a} onClick=${()=>r({layer:a})}>${i}</button>`;return p`<div class="bar-of-controls view-controls" role="group" aria-label="View of the maps">
    <span class="joined">${s("overlay","Over photo")}${s("map","Map")}${s("photo","Photo")}</span>
    <label class="field">Opacity <input type="range" min="0" max="1" step="0.05" value=${e.opacity}
      onInput=${a=>r({opacity:Number(a.target.value)})} /></label>
    <label class="field"><input type="checkbox" checked=${e.smooth} onChange=${a=>r({smooth:a.target.checked})} /> Smooth</label>
    <label class="field"><input type="checkbox" checked=${e.shared} onChange=${a=>r({shared:a.target.checked})} /> One scale per unit</label>
    <span class="muted small">Hold <kbd>Space</kbd> for the photo alone.</span>
    <button type="button" class="quiet" onClick=${o}>Remove all ${n}</button>
  </div>`}function Cn({card:e,models:t,view:n,range:o,cursor:r,onCursor:s,onRemove:a,onError:i}){let{job:c,explainer:_}=e,l=c?.result,h=l?.targets?.[0],f=p`<header class="card-head">
    <h2>${_}${l?.layer?p` <span class="muted">${l.layer}</span>`:""}</h2>
    <button type="button" class="quiet" aria-label=${`Remove ${_}`} onClick=${a}>✕</button>
    <p class="small muted">
      ${h&&p`<b>${h.label}</b> ${h.quantity} ${T(h.score,4)} · `}
      ${t.length>1&&p`${t[e.model].name} · `}${e.photo?.name??""}
      ${l&&p` · ${T(l.seconds,2)} s`}</p>
  </header>`;return p`<article class="card result" role="listitem" data-status=${c?.status??"starting"}>
    ${f}<${Sn} card=${e} view=${n} range=${o} cursor=${r} onCursor=${s} onError=${i} />
  </article>`}function Sn({card:e,view:t,range:n,cursor:o,onCursor:r,onError:s}){let{job:a}=e;if(!a||a.status==="queued"||a.status==="running"){let{description:l,done:h,total:f}=a?.progress??{};return p`<div class="running" role="status">
      <progress max=${f||void 0} value=${f?h:void 0}></progress>
      <p class="small muted">${a?.status==="running"?l||"computing":"waiting for the model"}
        ${f?` ${Math.round(h)} of ${Math.round(f)}`:""}</p>
      ${a?.id&&p`<button type="button" onClick=${()=>Lt(a.id).catch(s)}>Cancel</button>`}
    </div>`}if(a.status==="cancelled")return p`<p class="muted" role="status">Cancelled.</p>`;if(a.status==="failed")return p`<p class="problem" role="alert">${a.error}</p>`;let{result:i,files:c}=a,_=i.map&&c["photo.png"];return p`
    ${_?p`<${ee} photo=${c["photo.png"]} map=${i.map} mapFile=${c["values.bin"]} imageFile=${c["map.png"]}
          view=${t} range=${n} cursor=${o} onCursor=${r} label=${e.photo?.name??""} />`:p`<${Mn} pictures=${i.pictures} files=${c} />`}
    ${i.notes.map(l=>p`<p class="note">${l}</p>`)}
    ${i.map?.note&&p`<p class="note">${i.map.note}</p>`}
    <details class="small"><summary>Numbers and parameters</summary>
      <dl class="pairs">${i.measures.map(([l,h])=>p`<div><dt>${l}</dt><dd>${h}</dd></div>`)}
        ${Object.entries(i.parameters).map(([l,h])=>p`<div><dt>${l}</dt><dd>${h}</dd></div>`)}</dl>
    </details>
    <${Pn} card=${e} onError=${s} />`}function Mn({pictures:e,files:t}){let n=o=>p`<figure key=${o.file}>
    <a href=${t[o.file]} target="_blank" rel="noopener"><img class="picture" src=${t[o.file]} alt=${o.caption} /></a>
    <figcaption class="small muted">${o.caption}</figcaption></figure>`;return p`${e.slice(0,1).map(n)}
    ${e.length>1&&p`<details><summary>${e.length-1} further pictures</summary>${e.slice(1).map(n)}</details>`}`}function Pn({card:e,onError:t}){let{result:n,files:o}=e.job,r=async s=>{try{let a=await A(e.model,"draw",{result:n.result,format:s}),[[i,c]]=Object.entries(a.files),_=document.createElement("a");_.href=c,_.download=`${e.explainer}-${i}`,_.click()}catch(a){t(a)}};return p`<p class="actions">
    <${U} text=${n.python}>Copy Python</${U}>
    <${U} text=${n.shell}>Copy shell</${U}>
    ${["png","svg","pdf"].map(s=>p`<button type="button" class="quiet" onClick=${()=>r(s)}>${s.toUpperCase()}</button>`)}
    ${o["values.bin"]&&p`<a class="quiet button" href=${o["values.bin"]} download=${`${e.explainer}.f32`} title="float32, row by row">Numbers</a>`}
  </p>`}function jn({cards:e}){let[t,n]=x(null),r=[...Je(e.filter(c=>c.job?.status==="done"&&c.job.result.map),c=>`${c.model}|${c.photo?.id}`).values()].find(c=>c.length>1)?.slice(0,6).reverse()??[],s=r.map(c=>c.job.result.result).join(),a=W(s);if(a.current=s,M(()=>{n(null),!(r.length<2)&&A(r[0].model,"agreement",{results:s.split(",")}).then(c=>a.current===s&&n(c.result.pairs),()=>{})},[s]),!t)return null;let i=c=>`${r[c].explainer}${r[c].job.result.targets[0]?`, ${r[c].job.result.targets[0].label}`:""}`;return p`<section class="card"><h2>Agreement of the maps</h2>
    <div class="scroll"><table><thead><tr><th>maps</th><th class="number">rank correlation</th><th class="number">overlap of the strongest tenth</th></tr></thead>
    <tbody>${t.map(c=>p`<tr><th>${i(c.pair[0])} — ${i(c.pair[1])}</th>
      ${c.reason?p`<td colspan="2" class="muted">${c.reason}</td>`:p`<td class="number">${T(c.rank_correlation,2)}</td><td class="number">${Z(c.overlap)}</td>`}</tr>`)}
    </tbody></table></div></section>`}function Ft({model:e,photo:t,site:n,state:o,onError:r}){let[s,a]=x(null),i=Math.min(100,Math.max(1,Number(o.k)||12));if(M(()=>{let l=!0;return a(null),t&&A(e,"neighbours",{photo:t.id,k:i}).then(h=>l&&a(h),h=>l&&(r(h),a({failed:!0}))),()=>l=!1},[e,t?.id,i]),!t)return p`<p class="card muted">Choose a photo first.</p>`;if(!s)return p`<p class="card muted" role="status">Searching the run…</p>`;if(s.failed)return null;let{result:c}=s,_=(n?.count??0)>0;return p`<section class="card">
    <div class="head"><h2>Nearest images of the run</h2><span class="sub">${c.unit} of ${c.layer}</span>
      <label class="field">Show <input type="number" min="1" max="100" value=${i} onChange=${l=>D({k:l.target.value})} /></label>
      <${U} text=${c.python}>Copy Python</${U}></div>
    <ol class="neighbours">${c.found.map(l=>p`<li key=${l.id}>
      <a href=${_&&l.row!==null?Et(l.row):`#row=${l.row}&mode=neighbours`}>
        ${_&&l.row!==null?p`<${jt} row=${l.row} size=${112} />`:p`<span class="tile missing"></span>`}
        <span class="name">${_&&l.row!==null?p`<${En} row=${l.row} site=${n} />`:l.class??l.id}</span></a>
      <span class="small muted">${T(l.distance,3)}</span>
      <button type="button" class="quiet small" onClick=${()=>D({row:l.row})} disabled=${l.row===null}>Open</button></li>`)}</ol>
  </section>`}function En({row:e,site:t}){let[n]=We(()=>Be(e),[e]);return p`${n?t.classes[n.label]??n.name:""}`}var Tn={layer:"overlay",opacity:.85,smooth:!1},Nn={layer:"map",opacity:1,smooth:!1};function Vt({model:e,photo:t,site:n,state:o,canNote:r,onError:s}){let[a,i]=x(null),[c,_]=x(null),[l,h]=x(null),[f,u]=x(null);M(()=>{i(null),ke(e).then(i,s)},[e]);let d=(a?.layers??[]).filter(S=>S.shape.length===3),w=d.find(S=>S.default_for.includes("activations"))??d.at(-1),$=d.find(S=>S.name===o.layer)??w,v=Math.min(Number(o.unit)||0,($?.shape[0]??1)-1),b=/^\d+,\d+$/.test(o.at??"")?o.at.split(",").map(Number):null;if(M(()=>{let S=!0;return _(null),t&&$&&A(e,"unit_map",{photo:t.id,layer:$.name,unit:v}).then(L=>S&&_(L),L=>S&&s(L)),()=>S=!1},[e,t?.id,$?.name,v]),M(()=>{let S=!0;return h(null),t&&$&&b&&A(e,"unit_gradient",{photo:t.id,layer:$.name,unit:v,y:b[0],x:b[1]}).then(L=>S&&h(L),L=>S&&s(L)),()=>S=!1},[e,t?.id,$?.name,v,o.at]),!a)return p`<p class="card muted" role="status">Loading the model…</p>`;if(!$)return p`<p class="card muted">The model has no layer with maps.</p>`;let k=S=>D({at:null,...S}),C=$.shape[0],I=n?.layers?.find(S=>S.name===$.name)?.pages?.layer,[B,q]=$.shape.slice(1),N=l?.result.box;return p`<div class="stack">
    <div class="card bar-of-controls">
      <label class="field">Layer <select name="layer" value=${$.name} onChange=${S=>k({layer:S.target.value,unit:0})}>
        ${d.map(S=>p`<option value=${S.name}>${S.name} · ${S.shape.join(" × ")}</option>`)}</select></label>
      <span class="unit-choice" role="group" aria-label="Unit">
        <button type="button" aria-label="Previous unit" disabled=${v<=0} onClick=${()=>k({layer:$.name,unit:v-1})}>←</button>
        <label class="field">Unit <input type="number" name="unit" min="0" max=${C-1} value=${v}
          onChange=${S=>k({layer:$.name,unit:S.target.value})} /></label>
        <button type="button" aria-label="Next unit" disabled=${v>=C-1} onClick=${()=>k({layer:$.name,unit:v+1})}>→</button>
        <span class="muted">of ${C}</span></span>
      ${I&&p`<a href=${`${le(I)}#unit=${v}`}>Top patches of this unit</a>`}
    </div>
    <div class="split even">
      <section class="card">
        <h2>Where the unit is active</h2>
        ${t?c?p`
          <${ee} photo=${`api/jobs/${c.id}/files/photo.png`} map=${c.result.map} mapFile=${c.files["values.bin"]} view=${Tn}
            cursor=${f} onCursor=${u} label=${t.name}
            onPick=${({row:S,column:L})=>D({layer:$.name,unit:v,at:`${S},${L}`})}>
            ${N&&p`<${zt} box=${N} size=${[a.width,a.height]} />`}
          </${ee}>
          <p class="note">Largest activation ${T(c.result.value,4)}. Receptive field ${c.result.receptive_field}. Click a position, or
            ${" "}<button type="button" class="quiet" onClick=${()=>Ln(c,B,q).then(S=>D({layer:$.name,unit:v,at:S}),s)}>the strongest one</button>,
            to see what drives the unit there.</p>`:p`<p class="muted" role="status">Running the model…</p>`:p`<p class="muted">Choose a photo first.</p>`}
      </section>
      <section class="card" aria-live="polite">
        <h2>What drives it ${b&&p`<span class="muted">at row ${b[0]}, column ${b[1]}</span>`}</h2>
        ${b?l?p`
          ${l.result.map?p`<${ee} photo=${l.files["photo.png"]} map=${l.result.map} mapFile=${l.files["values.bin"]}
                imageFile=${l.files["map.png"]} view=${Nn} cursor=${f} onCursor=${u} label=${t.name}>
                ${N&&p`<${zt} box=${N} size=${[a.width,a.height]} />`}</${ee}>`:l.result.pictures.map(S=>p`<img class="picture" src=${l.files[S.file]} alt=${S.caption} />`)}
          <p class="note">Guided gradient of ${l.result.targets[0]?.label} (activation ${T(l.result.targets[0]?.score,4)}).
            ${N?` The frame is its receptive field, ${N[2]-N[0]} × ${N[3]-N[1]} pixels. `:" Its receptive field is the whole image. "}
            ${l.result.notes.join(" ")}</p>
          <p class="actions"><${U} text=${l.result.python}>Copy Python</${U}><${U} text=${l.result.shell}>Copy shell</${U}></p>`:p`<p class="muted" role="status">Computing the gradient…</p>`:p`<p class="muted">Click a position of the map.</p>`}
      </section>
    </div>
    ${r&&p`<${Dn} key=${`${$.name}:${v}`} layer=${$.name} unit=${v} onError=${s} />`}
  </div>`}async function Ln(e,t,n){let o=new Float32Array(await(await fetch(e.files["values.bin"])).arrayBuffer()),r=o.indexOf(Math.max(...o));return`${Math.floor(r/n)},${r%n}`}function zt({box:[e,t,n,o],size:[r,s]}){let a={left:`${100*e/r}%`,top:`${100*t/s}%`,width:`${100*(n-e)/r}%`,height:`${100*(o-t)/s}%`};return p`<span class="field-box" style=${a}></span>`}function Dn({layer:e,unit:t,onError:n}){let[o,r]=x(null),[s,a]=x(!1);if(M(()=>{we("notes").then(_=>r(_[e]?.[t]??{label:"",note:""}),n)},[]),!o)return null;let i=_=>{a(!1),r({...o,[_.target.name]:_.target.value})};return p`<form class="card note-form" onSubmit=${async _=>{_.preventDefault();try{await z("notes",{layer:e,unit:t,...o}),a(!0)}catch(l){n(l)}}}>
    <h2>Your note on unit ${t} of ${e}</h2>
    <label>Label <input type="text" name="label" maxlength="200" value=${o.label} onInput=${i} placeholder="for example: dog faces" /></label>
    <label>Note <textarea name="note" rows="2" maxlength="4000" value=${o.note} onInput=${i}></textarea></label>
    <p class="bar-of-controls"><button type="submit">Save</button><span class="small muted" role="status">${s?"Saved in the run folder.":""}</span></p>
  </form>`}var ne=[["explain","Explain"],["cover","Cover"],["units","Units"],["neighbours","Neighbours"]],On=1500;function Rn(e){let[t,n]=x(null),[o,r]=x(null),s=t&&t.pages?.status==="done";return M(()=>{let a,i=async()=>{try{let c=await we("state");n(c),c.pages&&!["done","failed","cancelled"].includes(c.pages.status)&&(a=setTimeout(i,On))}catch(c){e(c)}};return i(),()=>clearTimeout(a)},[]),M(()=>{t&&(window.convvizShared.chunks.delete("site"),ye().then(r,e))},[!!t,s]),[t,o]}function Un(){let e=Pt(),[t,n]=x(null),[o,r]=Rn(n),[s,a]=x(null),i=W(null),c=ne.some(([d])=>d===e.mode)?e.mode:"explain",_=Math.min(Number(e.model)||0,(o?.models.length??1)-1),l=Rt(_,s,n);M(()=>{let d=/^\d+$/.test(e.row??"")?Number(e.row):null;d===null||i.current===d||(i.current=d,z("rows",{row:d}).then(w=>i.current===d&&a(w),n))},[e.row]);let h=d=>{i.current=d.row,a(d),D({row:d.row,box:null,at:null,target:null})},f=o&&r&&(!s||l||t);if(M(()=>f&&Tt(),[!!f]),!o)return t?p`<p class="card problem" role="alert">${t.message}.</p>`:null;let u={model:_,models:o.models,photo:s,site:r,state:e,job:l,prediction:l?.result.classes,onError:n};return p`<div class="workbench">
    <div class="head"><h1>Workbench</h1>
      ${o.models.length>1?p`<label class="field">Model <select name="model" value=${_} onChange=${d=>D({model:d.target.value})}>
            ${o.models.map((d,w)=>p`<option value=${w}>${d.name}</option>`)}</select></label>`:p`<span class="sub">${o.models[0].name}</span>`}
    </div>
    ${t&&p`<p class="card problem banner" role="alert">${t.message} <button type="button" class="quiet" onClick=${()=>n(null)}>Dismiss</button></p>`}
    <div class="bench">
      <div class="stack side">
        <${Ot} photo=${s} site=${r} pages=${o.pages&&o.pages.status!=="done"?o.pages:null} onOpen=${h} onError=${n} />
        ${s&&p`<section class="card" aria-label="Prediction"><h2>The model says</h2>
          ${l?p`<${Ce} classes=${l.result.classes} chosen=${e.target} caption="Most probable classes"
              onChoose=${d=>D({target:d===e.target?null:d})} />
            <p class="small muted">Click a class to make it the target.</p>`:p`<p class="muted" role="status">Running the model…</p>`}
        </section>`}
      </div>
      <div class="stack main">
        <div class="tabs" role="tablist" aria-label="Tools">
          ${ne.map(([d,w])=>p`<button type="button" role="tab" id=${`tab-${d}`} aria-selected=${c===d} aria-controls="tool"
            tabindex=${c===d?0:-1} onClick=${()=>D({mode:d})}
            onKeyDown=${$=>An($,d)}>${w}</button>`)}
        </div>
        <div id="tool" role="tabpanel" aria-labelledby=${`tab-${c}`}>
          <div hidden=${c!=="explain"}><${qt} ...${u} /></div>
          ${c==="cover"&&p`<${At} ...${u} />`}
          ${c==="units"&&p`<${Vt} ...${u} canNote=${o.notes} />`}
          ${c==="neighbours"&&p`<${Ft} ...${u} />`}
        </div>
      </div>
    </div>
  </div>`}function An(e,t){let n={ArrowRight:1,ArrowLeft:-1}[e.key];if(!n)return;e.preventDefault();let o=ne.findIndex(([s])=>s===t),[r]=ne[(o+n+ne.length)%ne.length];D({mode:r}),document.getElementById(`tab-${r}`).focus()}async function In(){let e=await ye().catch(()=>null),t=location.pathname.match(/layer\/([^/]+)\.html$/)?.[1],n=e?.layers.find(s=>s.slug===t)?.name??"",o=document.createElement("a");o.className="to-workbench";let r=()=>{let{id:s,unit:a}=ge(),i=document.body.dataset.page,c=a!==void 0;o.hidden=!(c||i==="image"&&s!==void 0),o.textContent=c?`Try unit ${a} on a photo`:"Explain this image",o.href=`${X}live.html#${new URLSearchParams(c?{mode:"units",layer:n,unit:a}:{row:s??""})}`};for(let s of["convviz:state","hashchange","popstate"])window.addEventListener(s,r);r(),document.body.append(o)}var Kt=document.getElementById("workbench");Kt?De(p`<${Un} />`,Kt):In();})();
